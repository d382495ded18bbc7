#include "checker/course_command.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "checker/course/elements.h"
#include "checker/course/judge.h"
#include "checker/course/report.h"
#include "checker/model/budget.h"
#include "common/clock.h"
#include "common/exit_code.h"
#include "common/flags.h"
#include "common/one_line.h"
#include "common/whole_file.h"
#include "course/project.h"
#include "course/script.h"

namespace bank::checker {
namespace {

namespace fs = std::filesystem;
using course::CourseOptions;
using course::Graded;
using course::OutputFile;

constexpr const char* kCourseExamples = R"(
Examples:
  checker course input/three_branches.json answers.json
  checker course --project 1 --order concurrent input.json output.json
  checker course --project 2 input.json customers.json branches.json all.json
  checker course --project 2 --strict input.json output.json
  checker course --project 3 --sessions input.json output.json
  checker course input.json submissions/*/output.json
  checker course -w csv input.json submissions/*/output.json > grades.csv

One OUTPUT: every fault, with its place and the events that contradict each other. Several: a row
each. The parts of project 2 may stand in files that follow each other, or in one folder; all forms
of the outputs since 2021 are read (docs/INPUT.md). docs/GRADING.md says how fifty are judged.
Exit codes: 0 all right, 1 usage, 2 not readable, 4 undecided, 6 a wrong answer. Of several outputs
the worst counts: wrong before not readable before undecided.
)";

struct Arguments {
  std::string input;
  std::vector<std::string> outputs;
  int project = 0;
  std::string order = "sequential";
  CourseOptions options;
  int64_t budget_ms = 2'000;
  std::string format = "table";
};

int ComplainOf(const absl::Status& status) {
  std::cerr << "checker: " << status.message() << "\n";
  return kExitBadInput;
}

// The files that a folder's parts of project 2 stand in, by name.
std::vector<std::string> FilesIn(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string extension = it->path().extension().string();
    if (extension == ".json" || extension == ".txt") files.push_back(it->path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class Course {
 public:
  Course(const Arguments& arguments, const script::Script& script)
      : arguments_(arguments), script_(script) {}

  std::vector<Graded> Run() {
    std::vector<OutputFile> waiting;  // readable ones that follow each other
    for (const std::string& output : arguments_.outputs) {
      std::error_code error;
      const bool clocks = arguments_.options.project == script::Project::kLogicalClocks;
      if (clocks && fs::is_directory(output, error)) {
        Judge(&waiting);
        JudgeFolder(output);
        continue;
      }
      absl::StatusOr<OutputFile> file = Read(output);
      if (file.ok()) {
        waiting.push_back(*std::move(file));
      } else {
        Judge(&waiting);
        graded_.push_back({.name = output, .read = file.status()});
      }
    }
    Judge(&waiting);
    return std::move(graded_);
  }

 private:
  static absl::StatusOr<OutputFile> Read(const std::string& path) {
    const absl::StatusOr<std::string> text = ReadWholeFile(path);
    if (!text.ok()) return text.status();
    absl::StatusOr<std::vector<script::Json>> elements = course::ReadElements(path, *text);
    if (!elements.ok()) return elements.status();
    return OutputFile{path, *std::move(elements)};
  }

  void JudgeFolder(const std::string& folder) {
    std::vector<OutputFile> parts;
    for (const std::string& path : FilesIn(folder)) {
      absl::StatusOr<OutputFile> file = Read(path);
      if (!file.ok()) {
        graded_.push_back({.name = folder, .read = file.status()});
        return;
      }
      if (course::PartsOf(file->elements) != 0) parts.push_back(*std::move(file));
    }
    if (parts.empty()) {
      graded_.push_back({.name = folder,
                         .read = absl::InvalidArgumentError(
                             folder + ": no file in it is an output of project 2")});
      return;
    }
    JudgeOne(folder, parts);
  }

  void Judge(std::vector<OutputFile>* files) {
    for (const auto& group : course::GroupFiles(*files, arguments_.options.project)) {
      std::vector<OutputFile> parts;
      for (const size_t file : group) parts.push_back(std::move((*files)[file]));
      JudgeOne(parts.front().name, parts);
    }
    files->clear();
  }

  void JudgeOne(const std::string& name, const std::vector<OutputFile>& files) {
    const Budget budget = Budget::OfMs(ThreadCpuClock::Instance(), arguments_.budget_ms);
    Graded graded{.name = name, .files = files.size()};
    absl::StatusOr<course::Grade> grade = course::JudgeOutput(
        script_, files, arguments_.options, [&budget] { return budget.IsOver(); });
    if (grade.ok()) {
      graded.grade = *std::move(grade);
    } else {
      graded.read = grade.status();
    }
    graded_.push_back(std::move(graded));
  }

  const Arguments& arguments_;
  const script::Script& script_;
  std::vector<Graded> graded_;
};

int ExitCodeOf(const std::vector<Graded>& all) {
  bool wrong = false;
  bool unreadable = false;
  bool undecided = false;
  for (const Graded& graded : all) {
    unreadable = unreadable || !graded.read.ok();
    wrong = wrong || graded.grade.mark == course::Mark::kWrong;
    undecided = undecided || graded.grade.mark == course::Mark::kUndecided;
  }
  return wrong        ? kExitInconsistent
         : unreadable ? kExitBadInput
         : undecided  ? kExitUnknown
                      : kExitOk;
}

// "" or why the flags do not fit the project.
std::string WhyNot(const CourseOptions& options, bool order_given) {
  using script::Project;
  if (options.strict && options.project != Project::kLogicalClocks) {
    return "--strict is for project 2 (see --help)";
  }
  if (options.sessions && options.project != Project::kClientCentric) {
    return "--sessions is for project 3 (see --help)";
  }
  if (order_given && options.project == Project::kLogicalClocks) {
    return "--order is for projects 1 and 3 (see --help)";
  }
  if (options.order == course::Order::kConverged && options.project != Project::kOneBalance) {
    return "--order converged is for project 1 (see --help)";
  }
  return "";
}

}  // namespace

int CourseMain(int argc, char** argv) {
  Arguments arguments;
  FlagSet flags{"Judges answers to the course's files, whoever wrote them.", "checker course"};
  flags.SetFooter(kCourseExamples);
  flags.Add("INPUT", arguments.input, "the input that was answered").Required();
  flags.Add("OUTPUT", arguments.outputs, "one file for each submission").Required();
  flags.Add("--project", arguments.project, "1, 2 or 3; else what the input's form says")
      .Between(1, 3);
  const Flag order =
      flags.Add("--order", arguments.order, "projects 1 and 3: sequential, converged or concurrent")
          .OneOf({"sequential", "converged", "concurrent"})
          .ShowDefault();
  flags.AddSwitch("--sessions", arguments.options.sessions,
                  "project 3: only what the guarantees force on each customer");
  flags.AddSwitch("--strict", arguments.options.strict,
                  "project 2: every clock is exactly max+1, and part 3 is ordered");
  flags.Add("--budget-ms", arguments.budget_ms, "CPU time for judging one output, in ms")
      .NotNegative()
      .ShowDefault();
  flags.Add("-w,--write", arguments.format, "table, json or csv")
      .OneOf({"table", "json", "csv"})
      .ShowDefault();
  if (const auto code = flags.Parse(argc, argv)) return *code;

  const absl::StatusOr<std::string> text = ReadWholeFile(arguments.input);
  if (!text.ok()) return ComplainOf(text.status());
  const absl::StatusOr<script::Script> script = script::ParseScript(arguments.input, *text);
  if (!script.ok()) return ComplainOf(script.status());
  const absl::StatusOr<script::Project> project =
      arguments.project != 0 ? static_cast<script::Project>(arguments.project)
                             : script::RecognizeProject(arguments.input, *script);
  if (!project.ok()) return ComplainOf(project.status());
  CourseOptions& options = arguments.options;
  options.project = *project;
  options.order = arguments.order == "converged"    ? course::Order::kConverged
                  : arguments.order == "concurrent" ? course::Order::kConcurrent
                                                    : course::Order::kSequential;
  if (const std::string why = WhyNot(options, order.given()); !why.empty()) {
    std::cerr << "checker: " << why << "\n";
    return kExitUsage;
  }
  const std::vector<Graded> all = Course(arguments, *script).Run();
  for (const Graded& graded : all) {
    if (!graded.read.ok())
      ComplainOf(absl::InvalidArgumentError(OneLine(std::string(graded.read.message()), 400)));
  }
  std::cout << (arguments.format == "json"  ? course::CourseJson(all, options)
                : arguments.format == "csv" ? course::CourseCsv(all)
                                            : course::CourseTable(all, options));
  return ExitCodeOf(all);
}

}  // namespace bank::checker
