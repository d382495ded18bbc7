// Small histories and what the judge says of them: tests/datadriven/checker/*.txt.
//
// Goal: each kind of wrong history, and of right ones that look wrong, stands here as a page to
// read. Method: a script is a row of blocks: a history, a line `----`, the verdict with the
// operations that show it, an empty line. Lines that begin with `#` are comments.
// `checker_scripts --rewrite` records what the judge says now; the diff is to be reviewed like
// code.
//
//   P:N KIND ACCOUNT [to ACCOUNT] [AMOUNT] @FROM-TO -> ANSWER
//     operation N of process P; nanoseconds; KIND is open, deposit, withdraw, transfer or query
//     ANSWER: RESULT BALANCE [#POSITION], or fail, info, or nothing: no completion
//     key=SESSION/SEQUENCE, replayed: anywhere behind it
//   digest BRANCH POSITION TOTAL
// An empty line ends the verdict: without it, what follows is taken for old output.
// The accounts a and b hold 100 each at first; `unopened` in front: nothing is known of that.
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/datadriven/recorded_scripts.h"
#include "tests/support/history_text.h"

namespace bank::checker {
namespace {

Spec ParseOperation(const std::vector<std::string>& words) {
  Spec spec;
  const std::vector<std::string> name = absl::StrSplit(words.at(0), ':');
  spec.process = std::stoull(name.at(0));
  spec.id = std::stoull(name.at(1));
  spec.op = words.at(1);
  spec.account = words.at(2);
  spec.type = "open";
  size_t next = 3;
  if (words.at(next) == "to") {
    spec.to = words.at(next + 1);
    next += 2;
  }
  if (words.at(next)[0] != '@') spec.amount = std::stoll(words.at(next++));
  const std::vector<std::string> times = absl::StrSplit(words.at(next++).substr(1), '-');
  spec.invoke_ns = std::stoll(times.at(0));
  spec.return_ns = times.at(1).empty() ? spec.invoke_ns : std::stoll(times.at(1));
  for (; next < words.size(); ++next) {
    const std::string& word = words[next];
    if (word == "->") continue;
    if (word.starts_with("key=")) {
      const std::vector<std::string> key = absl::StrSplit(word.substr(4), '/');
      spec.session = std::stoull(key.at(0));
      spec.sequence = std::stoull(key.at(1));
    } else if (word == "replayed") {
      spec.replayed = true;
    } else if (word[0] == '#') {
      spec.index = std::stoull(word.substr(1));
    } else if (word == "fail" || word == "info") {
      spec.type = word;
    } else if (std::isdigit(static_cast<unsigned char>(word[0])) != 0 || word[0] == '-') {
      spec.balance = std::stoll(word);
    } else {
      spec.type = "ok";
      spec.result = word;
    }
  }
  return spec;
}

std::string Verdict(const std::vector<std::string>& lines) {
  std::vector<Spec> specs;
  std::string digests;
  bool is_opened = true;
  for (const std::string& line : lines) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.at(0) == "unopened") {
      is_opened = false;
    } else if (words[0] == "digest") {
      digests += fmt::format(
          R"({{"type":"digest","branch":{},"log_index":{},"state":"aa","balance_total":{}}})"
          "\n",
          words.at(1), words.at(2), words.at(3));
    } else {
      specs.push_back(ParseOperation(words));
    }
  }
  std::string text = HistoryText(specs) + digests;
  const std::string initial = R"("initial":{"shared":400})";
  text.replace(text.find(initial), initial.size(),
               is_opened ? R"("initial":{"a":100,"b":100})" : R"("processes":1)");
  const auto judgement = JudgeText(text, {.histories = {}, .digests = {}, .budget_ms = 2000});
  if (!judgement.ok()) return absl::StrCat(std::string(judgement.status().message()), "\n");
  std::string out = absl::StrCat(std::string(VerdictName(judgement->verdict)), "\n");
  for (const Violation& violation : judgement->violations) {
    out += fmt::format("{}: {}\n", ViolationKindName(violation.kind), violation.why);
    for (const Operation& op : violation.operations) {
      out += "  " + Describe(op, judgement->names) + "\n";
    }
  }
  return out;
}

class CheckerScripts : public testing::TestWithParam<std::string> {};

TEST_P(CheckerScripts, JudgesAsRecorded) { datadriven::Check(GetParam(), Verdict); }

INSTANTIATE_TEST_SUITE_P(All, CheckerScripts, testing::ValuesIn(datadriven::ScriptPaths("checker")),
                         datadriven::ScriptName);

}  // namespace
}  // namespace bank::checker

int main(int argc, char** argv) { return bank::datadriven::Main(argc, argv); }
