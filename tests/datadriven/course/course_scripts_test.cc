// Outputs of the course and what the judge says of them: tests/datadriven/course/*.txt.
//
// Goal: every form of outputs that is read, and every kind of fault, stands here as a page to read.
// Method: a script is a row of blocks; `course_scripts --rewrite` records what the judge says now.
// A block:
//   judge INPUT [project N] [order ORDER] [sessions] [strict]
//     INPUT: a file below input/, or JSON without blanks
//   the output, as many lines as it needs; a line `---- next file` begins another file of it, and
//   an empty line is written as `~`
//   ----
//   what the judge says, without its empty lines
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "checker/course/judge.h"
#include "checker/course/report.h"
#include "common/whole_file.h"
#include "tests/datadriven/recorded_scripts.h"

namespace bank::checker::course {
namespace {

Order OrderOf(const std::string& name) {
  return name == "concurrent"  ? Order::kConcurrent
         : name == "converged" ? Order::kConverged
                               : Order::kSequential;
}

std::string WithoutEmptyLines(const std::string& text) {
  std::string out;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!line.empty()) absl::StrAppend(&out, line, "\n");
  }
  return out;
}

std::string Judged(const std::vector<std::string>& lines) {
  const std::vector<std::string> words = absl::StrSplit(lines.at(0), ' ', absl::SkipEmpty());
  EXPECT_EQ(words.at(0), "judge");
  std::string text = words.at(1);
  if (text.front() != '[') {
    text = ReadWholeFile(absl::StrCat(BANK_SOURCE_DIR "/input/", text)).value();
  }
  const absl::StatusOr<script::Script> script = script::ParseScript("in.json", text);
  if (!script.ok()) return absl::StrCat(script.status().message(), "\n");
  CourseOptions options;
  const absl::StatusOr<script::Project> project = script::RecognizeProject("in.json", *script);
  if (project.ok()) options.project = *project;
  for (size_t i = 2; i < words.size(); ++i) {
    if (words[i] == "project") {
      options.project = static_cast<script::Project>(std::stoi(words.at(++i)));
    } else if (words[i] == "order") {
      options.order = OrderOf(words.at(++i));
    } else if (words[i] == "sessions") {
      options.sessions = true;
    } else if (words[i] == "strict") {
      options.strict = true;
    } else {
      return absl::StrCat("no such word: ", words[i], "\n");
    }
  }
  std::vector<std::string> texts(1);
  for (size_t i = 1; i < lines.size(); ++i) {
    if (lines[i] == "---- next file") {
      texts.emplace_back();
    } else {
      absl::StrAppend(&texts.back(), lines[i] == "~" ? "" : lines[i], "\n");
    }
  }
  std::vector<OutputFile> files;
  for (const std::string& output : texts) {
    const std::string name = absl::StrCat("out", files.size() + 1, ".json");
    absl::StatusOr<std::vector<script::Json>> elements = ReadElements(name, output);
    if (!elements.ok()) return absl::StrCat("unreadable: ", elements.status().message(), "\n");
    files.push_back({name, *std::move(elements)});
  }
  std::string out;
  for (const auto& group : GroupFiles(files, options.project)) {
    std::vector<OutputFile> parts;
    for (const size_t file : group) parts.push_back(files[file]);
    const absl::StatusOr<Grade> grade = JudgeOutput(*script, parts, options, [] { return false; });
    if (!grade.ok()) {
      absl::StrAppend(&out, "unreadable: ", grade.status().message(), "\n");
      continue;
    }
    absl::StrAppend(
        &out, WithoutEmptyLines(CourseTable(
                  {{.name = parts[0].name, .files = parts.size(), .grade = *grade}}, options)));
  }
  return out;
}

// What is expected of the inputs beside it is right in the judge's eyes, too.
TEST(CourseInputs, WhatIsExpectedIsRight) {
  struct Pair {
    std::string input, output, words;
  };
  const std::vector<Pair> pairs = {
      {"three_branches", "three_branches", ""},
      {"three_branches", "three_branches_converged", " order converged"},
      {"fifty_branches", "fifty_branches", ""},
      {"forms/as_pasted", "as_pasted", ""},
      {"forms/branch_ids", "branch_ids", ""},
      {"forms/branch_per_event", "branch_per_event", ""},
      {"forms/client_and_bank", "client_and_bank", ""},
      {"forms/event_ids", "event_ids", ""},
      {"forms/same_customer_again", "same_customer_again", ""},
      {"forms/zero_balance", "zero_balance", ""},
      {"one_write", "one_write", " strict"},
      {"one_write", "one_write_2021", " strict"},
      {"refused_write", "refused_write", " strict"},
      {"client_centric", "client_centric", ""},
      {"client_centric", "client_centric", " sessions"},
      {"monotonic_writes", "monotonic_writes", ""},
      {"monotonic_writes", "monotonic_writes_2021", ""}};
  for (const auto& [input, output, words] : pairs) {
    const std::string text =
        ReadWholeFile(BANK_SOURCE_DIR "/input/expected/" + output + ".json").value();
    const std::string judged = Judged({"judge " + input + ".json" + words, text});
    EXPECT_TRUE(judged.starts_with("verdict  right\n")) << output << words << "\n" << judged;
  }
}

class CourseScripts : public testing::TestWithParam<std::string> {};

TEST_P(CourseScripts, JudgesAsRecorded) { datadriven::Check(GetParam(), Judged); }

INSTANTIATE_TEST_SUITE_P(All, CourseScripts, testing::ValuesIn(datadriven::ScriptPaths("course")),
                         datadriven::ScriptName);

}  // namespace
}  // namespace bank::checker::course

int main(int argc, char** argv) { return bank::datadriven::Main(argc, argv); }
