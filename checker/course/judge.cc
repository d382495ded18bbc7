#include "checker/course/judge.h"

#include "checker/course/answers.h"
#include "checker/course/clocks.h"

namespace bank::checker::course {
namespace {

using script::Project;
using script::Script;

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == path.npos ? "" : path.substr(0, slash);
}

absl::StatusOr<Grade> JudgeClockOutput(const Script& script, const std::vector<OutputFile>& files,
                                       bool strict, const std::function<bool()>& out_of_time) {
  Grade grade;
  absl::StatusOr<ClockOutput> output = ReadClockEvents(files, &grade);
  if (!output.ok()) return output.status();
  if (output->blocks) {
    JudgeBlocks(script, *output, strict, out_of_time, &grade);
  } else {
    JudgeClocks(script, *std::move(output), strict, out_of_time, &grade);
  }
  return grade;
}

}  // namespace

absl::StatusOr<Grade> JudgeOutput(const Script& script, const std::vector<OutputFile>& files,
                                  const CourseOptions& options,
                                  const std::function<bool()>& out_of_time) {
  if (options.project == Project::kLogicalClocks) {
    return JudgeClockOutput(script, files, options.strict, out_of_time);
  }
  Grade grade;
  const OutputFile& file = files.front();
  const bool with_branches = options.project == Project::kClientCentric;
  const absl::StatusOr<Answers> answers =
      MatchAnswers(file.name, script, file.elements, with_branches, &grade);
  if (!answers.ok()) return answers.status();
  if (answers->only_final && !with_branches) {
    return script::Place{file.name}.Error(
        "its elements have no answers (\"recv\"), as final balances of project 3");
  }
  const bool alone = script.entries.size() < 2;  // then all of it is determined anyway
  if (alone || (options.order == Order::kSequential && !options.sessions)) {
    JudgeSequential(script, *answers, &grade);
  } else if (options.sessions) {
    JudgeSessions(script, *answers, options.order, out_of_time, &grade);
  } else {
    JudgeAtOnce(script, *answers, options.order, out_of_time, &grade);
  }
  return grade;
}

std::vector<std::vector<size_t>> GroupFiles(const std::vector<OutputFile>& files, Project project) {
  constexpr unsigned kAllParts = kCustomerPart | kBranchPart | kFlatPart;
  std::vector<std::vector<size_t>> groups;
  unsigned held = kAllParts;
  for (size_t i = 0; i < files.size(); ++i) {
    const unsigned parts =
        project == Project::kLogicalClocks ? PartsOf(files[i].elements) : kAllParts;
    const bool joins = parts != 0 && (held & parts) == 0 && i > 0 &&
                       FolderOf(files[i].name) == FolderOf(files[i - 1].name);
    if (joins) {
      groups.back().push_back(i);
      held |= parts;
    } else {
      groups.push_back({i});
      held = parts == 0 ? kAllParts : parts;
    }
  }
  return groups;
}

}  // namespace bank::checker::course
