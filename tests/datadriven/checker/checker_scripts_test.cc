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
//     ANSWER: RESULT BALANCE [#POSITION], or fail, info, or nothing: no completion; BALANCE -: none
//     key=SESSION/SEQUENCE, replayed, local: anywhere behind it
//   digest BRANCH POSITION TOTAL [accounts=COUNT]; TOTAL -: none
// An empty line ends the verdict: without it, what follows is taken for old output.
// The accounts a and b hold 100 each at first; in front, `initial {"a":5}` says otherwise,
// `unopened` that nothing is known of that, `accounts_max N` how many there may be.
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
  spec.account = words.at(2) == "\"\"" ? "" : words[2];
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
    } else if (word == "local") {
      spec.consistency = word;
    } else if (word == "-") {
      spec.has_balance = false;
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

std::string DigestLine(const std::vector<std::string>& words) {
  std::string line = fmt::format(R"({{"type":"digest","branch":{},"log_index":{},"state":"aa")",
                                 words.at(1), words.at(2));
  if (words.at(3) != "-") line += fmt::format(R"(,"balance_total":{})", words[3]);
  if (words.size() > 4) {
    line += fmt::format(R"(,"accounts":{})", words[4].substr(words[4].find('=') + 1));
  }
  return line + "}\n";
}

std::string Verdict(const std::vector<std::string>& lines) {
  std::vector<Spec> specs;
  std::string digests;
  std::string header = R"("initial":{"a":100,"b":100})";
  for (const std::string& line : lines) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.at(0) == "unopened") {
      header = R"("processes":1)";
    } else if (words[0] == "initial") {
      header = fmt::format(R"("initial":{})", words.at(1));
    } else if (words[0] == "accounts_max") {
      header += fmt::format(R"(,"accounts_max":{})", words.at(1));
    } else if (words[0] == "digest") {
      digests += DigestLine(words);
    } else {
      specs.push_back(ParseOperation(words));
    }
  }
  std::string text = HistoryText(specs) + digests;
  const std::string initial = R"("initial":{"shared":400})";
  text.replace(text.find(initial), initial.size(), header);
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
