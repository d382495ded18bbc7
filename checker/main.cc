// checker: judges whether a recorded history is one that a single, correct bank could have given.
#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "checker/course_command.h"
#include "checker/jepsen/jepsen.h"
#include "checker/judge.h"
#include "checker/report.h"
#include "checker/timeline.h"
#include "common/exit_code.h"
#include "common/flags.h"
#include "common/output_file.h"
#include "common/program.h"

namespace {

constexpr const char* kExamples = R"(
Examples:
  checker out/history.jsonl
  checker a.jsonl b.jsonl --digests digests.jsonl
  checker --html timeline.html out/history.jsonl
  checker store/latest/history.edn
  checker --foreign-writers -w json mine.jsonl
  zcat history.jsonl.gz | checker -
  checker course input.json output.json         answers to the course's files: checker course --help

Exit codes: 0 consistent, 1 usage, 2 bad input, 4 undecided, 6 inconsistent. A timeline that cannot
be written is told on stderr and changes none of them.
A pipe may be given for a file, also as -, which is the standard input: what is read from it is
copied to a temporary file without a name in $TMPDIR (else /tmp).
The format of a history: docs/HISTORY.md. Positions ("index") may be given by all answers, by
some, or by none; answers without one are judged by searching.

Jepsen's histories (EDN): maps, tagged ones (#jepsen.history.Op{...}) too, one after the other or in
one vector or list, with :type (:invoke :ok :fail :info), :process, :f and :value. Of these workloads:
  bank      :f :transfer, :value {:from a, :to b, :amount n}; :f :read, :value {a n, b n, ...}
            or [n n ...]
  register  :f :read, :write, :value v; :f :cas, :value [old new]; nil at first (--initial)
Both also behind keys of jepsen.independent: :value [k v], for cas [k [old new]]; each key is judged
alone. Other :f are refused; processes named by a keyword (:nemesis) are skipped.
)";

// Says why there is no timeline, if there is none.
bool TellNoTimeline(const absl::Status& status) {
  if (!status.ok()) std::cerr << "checker: no timeline: " << status.message() << "\n";
  return status.ok();
}

int Main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "course") {
    return bank::checker::CourseMain(argc - 1, argv + 1);
  }
  bank::checker::JudgeOptions options;
  bank::checker::JepsenOptions jepsen_options;
  std::string format = "table";
  std::string html;
  std::string input = "auto";
  bank::FlagSet flags{
      "Judges histories of a bank: is there one order of all operations that explains every "
      "answer?",
      "checker"};
  flags.SetFooter(kExamples);
  flags.Add("history", options.histories, "history files, read as one history; - is stdin")
      .Required();
  const bank::Flag digests =
      flags.Add("--digests", options.digests, "files with the branches' final digests");
  const bank::Flag foreign = flags.AddSwitch("--foreign-writers", options.foreign_writers,
                                             "others than the recorded customers wrote too");
  flags
      .Add("--budget-ms", options.budget_ms,
           "CPU time for reading, searching and minimizing, in ms;\n"
           "reading once takes what it takes")
      .NotNegative()
      .ShowDefault();
  flags.Add("--format", input, "of the histories: auto (by extension), json or edn")
      .OneOf({"auto", "json", "edn"})
      .ShowDefault();
  const bank::Flag initial =
      flags.Add("--initial", jepsen_options.initial, "edn: what registers hold at first")
          .ShowDefault();
  const bank::Flag overdrafts =
      flags.AddSwitch("--overdrafts", jepsen_options.overdrafts,
                      "edn: accounts may be overdrawn (Jepsen's :negative-balances?)");
  flags.Add("--html", html, "write a timeline of the history to this file; - is stdout");
  flags.Add("-w,--write", format, "table or json").OneOf({"table", "json"}).ShowDefault();
  if (const auto code = flags.Parse(argc, argv)) return *code;

  std::vector<std::string> inputs = options.histories;
  inputs.insert(inputs.end(), options.digests.begin(), options.digests.end());
  // Told before the work, not after it. The verdict is worth having without a timeline, too.
  std::optional<bank::OutputPlace> page_place;
  if (!html.empty()) {
    std::replace(inputs.begin(), inputs.end(), std::string("-"), std::string("/dev/stdin"));
    auto place = bank::FindOutput(html, inputs);
    if (TellNoTimeline(place.status())) page_place = *std::move(place);
  }
  const auto start = std::chrono::steady_clock::now();
  const bool edn = input == "edn" || (input == "auto" && options.histories[0].ends_with(".edn"));
  const auto unread = edn ? std::array{digests, foreign} : std::array{initial, overdrafts};
  for (const bank::Flag& flag : unread) {
    if (!flag.given()) continue;
    std::cerr << "checker: " << flag.name() << " is not for histories in " << (edn ? "EDN" : "JSON")
              << " (see --help)\n";
    return bank::kExitUsage;
  }
  bank::checker::JepsenJudgement jepsen;
  absl::StatusOr<bank::checker::Judgement> judgement;
  if (edn) {
    jepsen_options.budget_ms = options.budget_ms;
    auto judged = bank::checker::JudgeJepsen(options.histories, jepsen_options);
    if (judged.ok()) {
      jepsen = *std::move(judged);
      judgement = jepsen;
    } else {
      judgement = judged.status();
    }
  } else {
    judgement = bank::checker::JudgeHistory(options);
  }
  if (!judgement.ok()) {
    std::cerr << "checker: " << judgement.status().message() << "\n";
    return bank::kExitBadInput;
  }
  const int64_t elapsed_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                 std::chrono::steady_clock::now() - start)
                                 .count();
  std::cout << (format == "json" ? bank::checker::JsonReport(*judgement, elapsed_ms)
                                 : bank::checker::TableReport(*judgement, elapsed_ms))
            << std::flush;
  if (page_place) {
    const auto page =
        edn ? bank::checker::JepsenTimeline(jepsen) : bank::checker::Timeline(*judgement);
    TellNoTimeline(page.ok() ? bank::WriteOutput(*std::move(page_place), *page) : page.status());
  }
  switch (judgement->verdict) {
    case bank::checker::Verdict::kConsistent:
      return bank::kExitOk;
    case bank::checker::Verdict::kInconsistent:
      return bank::kExitInconsistent;
    case bank::checker::Verdict::kUndecided:
      return bank::kExitUnknown;
  }
  return bank::kExitUnknown;
}

}  // namespace

int main(int argc, char** argv) {
  return bank::RunProgram("checker", [&] { return Main(argc, argv); });
}
