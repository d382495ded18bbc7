#include "checker/jepsen/jepsen.h"

#include <algorithm>
#include <map>
#include <optional>

#include "checker/jepsen/bank_judge.h"
#include "checker/jepsen/edn.h"
#include "checker/jepsen/step_search.h"
#include "checker/jepsen/verify_register_order.h"
#include "checker/search/shorten.h"
#include "common/one_line.h"
#include "fmt/format.h"

namespace bank::checker {
namespace {

using Function = JepsenOperation::Function;

constexpr size_t kShownMax = 10;
constexpr std::chrono::milliseconds kRegisterTryTime{200};
constexpr std::chrono::seconds kRegisterMinimizeTime{3};

class JepsenJudge {
 public:
  JepsenJudge(std::vector<JepsenOperation> operations, const JepsenOptions& options,
              const Budget& budget, std::string initial)
      : operations_(std::move(operations)),
        options_(options),
        initial_text_(std::move(initial)),
        budget_(budget),
        searching_(budget.Share(4, 5)) {}

  JepsenJudgement Run(bool bank) {
    Judgement& judgement = result_;
    judgement.method = "search";
    judgement.operations = operations_.size();
    judgement.verdict = Verdict::kConsistent;
    judgement.notes.push_back(
        bank ? std::string("a bank's history")
             : fmt::format("a register's history, {} at first", OneLine(initial_text_)));
    std::map<std::string, std::vector<size_t>> by_key;
    for (size_t i = 0; i < operations_.size(); ++i) by_key[operations_[i].key].push_back(i);
    if (by_key.size() > 1) {
      judgement.notes.push_back(fmt::format("{} independent keys", by_key.size()));
    }
    for (const auto& [key, members] : by_key) {
      if (bank && !ReadsAddUp(members)) break;
      if (!JudgeKey(members, bank)) break;
    }
    result_.operations = std::move(operations_);
    return std::move(result_);
  }

 private:
  // False, with the violation reported, if one read alone or two together are wrong.
  bool ReadsAddUp(const std::vector<size_t>& members) {
    std::optional<size_t> first;
    Wide first_total = 0;
    for (size_t i : members) {
      const JepsenOperation& op = operations_[i];
      if (op.function != Function::kReadAll) continue;
      if (!op.wrong.empty()) {
        Report(ViolationKind::kBalance, op.wrong, {i});
        return false;
      }
      Wide total = 0;
      for (const auto& [account, balance] : op.balances) {
        if (balance < 0 && !options_.overdrafts) {
          Report(ViolationKind::kBalance, "account " + account + " is overdrawn", {i});
          return false;
        }
        total += balance;
      }
      if (!first) {
        first = i;
        first_total = total;
        continue;
      }
      if (total != first_total) {
        Report(ViolationKind::kTotal,
               fmt::format("one read sums up to {}, another to {}", ToString(first_total),
                           ToString(total)),
               {*first, i});
        return false;
      }
      const auto& before = operations_[*first].balances;
      const bool same = before.size() == op.balances.size() &&
                        std::equal(before.begin(), before.end(), op.balances.begin(),
                                   [](const auto& a, const auto& b) { return a.first == b.first; });
      if (!same) {
        Report(ViolationKind::kBalance, "two reads show different accounts", {*first, i});
        return false;
      }
    }
    return true;
  }

  // False, with the violation reported, if nothing explains these.
  bool JudgeKey(const std::vector<size_t>& members, bool bank) {
    return bank ? JudgeOneBank(members) : JudgeRegister(members);
  }

  bool JudgeOneBank(const std::vector<size_t>& members) {
    const BankSteps bank = StepsOfBank(operations_, members, options_.overdrafts);
    const BankAnswer answer = JudgeBank(bank, searching_);
    if (answer == BankAnswer::kUnknown) Undecided();
    if (answer != BankAnswer::kViolation) return true;
    BankViolation violation = ExplainBank(bank, budget_.AtMost(kRegisterMinimizeTime));
    ReportLast(violation.why, std::move(violation.culprits));
    return false;
  }

  bool JudgeRegister(const std::vector<size_t>& members) {
    std::vector<Step> steps;
    for (size_t i : members) {
      if (operations_[i].fate == Fate::kFail) continue;
      const Step step = StepOf(i);
      if (!step.is_read() || !step.is_optional()) steps.push_back(step);
    }
    const Wide initial = ValueOf(initial_text_);
    StepSearch search(steps, initial, searching_);
    const StepSearch::Answer answer = search.Run();
    const bool is_right =
        answer == StepSearch::Answer::kExplained && Explains(steps, initial, search.order());
    if (answer != StepSearch::Answer::kViolation && !is_right) Undecided();
    if (answer != StepSearch::Answer::kViolation) return true;
    const Budget minimizing = budget_.AtMost(kRegisterMinimizeTime);
    const auto fails = [&](const std::vector<Step>& some) {
      return !minimizing.IsOver() &&
             StepSearch(some, initial, minimizing.AtMost(kRegisterTryTime)).Run() ==
                 StepSearch::Answer::kViolation;
    };
    std::vector<size_t> culprits;
    for (const Step& step : Shorten(steps, false, fails)) culprits.push_back(step.event);
    ReportLast("no order of the operations explains this", std::move(culprits));
    return false;
  }

  // `culprits`: by their end.
  void ReportLast(const std::string& why, std::vector<size_t> culprits) {
    if (culprits.size() > kShownMax) culprits.erase(culprits.begin(), culprits.end() - kShownMax);
    Report(ViolationKind::kSearch, why, std::move(culprits));
  }

  void Undecided() {
    result_.verdict = Verdict::kUndecided;
    result_.undecided_because = "the search came to the end of its budget";
  }

  void Report(ViolationKind kind, std::string why, std::vector<size_t> culprits) {
    Judgement& judgement = result_;
    judgement.verdict = Verdict::kInconsistent;
    judgement.undecided_because.clear();
    Violation violation;
    violation.kind = kind;
    violation.why = OneLine(std::move(why));
    for (size_t i : culprits) {
      const JepsenOperation& op = operations_[i];
      violation.hints.push_back(fmt::format(
          "process {}, events {} to {}: {}", op.process, op.invoke,
          op.over == kNever ? std::string("never") : std::to_string(op.over), OneLine(op.Words())));
    }
    judgement.violations.push_back(std::move(violation));
    result_.culprits = std::move(culprits);
  }

  Wide ValueOf(const std::string& text) {
    return static_cast<Wide>(values_.try_emplace(text, values_.size()).first->second);
  }

  Step StepOf(size_t event) {
    const JepsenOperation& op = operations_[event];
    Step step;
    step.event = event;
    step.invoke = op.invoke;
    step.over = op.over;
    switch (op.function) {
      case Function::kTransfer:
      case Function::kReadAll:
        break;  // of a bank
      case Function::kRead:
        step.first = ValueOf(op.first);
        break;
      case Function::kWrite:
        step.kind = Step::Kind::kWrite;
        step.first = ValueOf(op.first);
        break;
      case Function::kCas:
        step.kind = Step::Kind::kCas;
        step.first = ValueOf(op.first);
        step.second = ValueOf(op.second);
        break;
    }
    return step;
  }

  std::vector<JepsenOperation> operations_;
  const JepsenOptions& options_;
  const std::string initial_text_;
  const Budget budget_;
  const Budget searching_;
  std::map<std::string, size_t> values_;
  JepsenJudgement result_;
};

}  // namespace

absl::StatusOr<JepsenJudgement> JudgeJepsen(const std::vector<std::string>& paths,
                                            const JepsenOptions& options) {
  std::string initial;
  const auto values = ParseEdn(options.initial);
  if (!values.ok() || values->size() != 1 || !ScalarText(values->front(), &initial)) {
    return absl::InvalidArgumentError("what registers hold at first must be one value in EDN");
  }
  absl::StatusOr<InputFiles> inputs = OpenInputs(paths);
  if (!inputs.ok()) return inputs.status();
  const Budget budget = Budget::OfMs(ThreadCpuClock::Instance(), options.budget_ms);
  JepsenHistory history;
  for (const std::shared_ptr<InputFile>& input : *inputs) {
    if (absl::Status status = history.Read(input.get()); !status.ok()) return status;
  }
  absl::StatusOr<std::vector<JepsenOperation>> operations = history.Finish();
  if (!operations.ok()) return operations.status();
  if (history.is_bank() && history.is_register()) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: operations of a bank and of a register in one history", inputs->back()->path()));
  }
  std::optional<std::vector<JepsenOperation>> by_time;
  if (!history.in_time_order()) by_time = InTimeOrder(*operations);
  JepsenJudgement judgement =
      JepsenJudge(*std::move(operations), options, budget, initial).Run(history.is_bank());
  judgement.inputs = *std::move(inputs);
  if (history.in_time_order()) return judgement;
  if (!by_time ||
      JepsenJudge(*std::move(by_time), options, budget, initial).Run(history.is_bank()).verdict !=
          judgement.verdict) {
    judgement.violations.clear();
    judgement.culprits.clear();
    judgement.verdict = Verdict::kUndecided;
    judgement.undecided_because =
        "by the order of their :time the events have, or may have, another verdict than as they "
        "stand in the file";
  }
  judgement.notes.push_back("the events are not in the order of their :time");
  return judgement;
}

}  // namespace bank::checker
