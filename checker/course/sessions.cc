// JudgeSessions(): what the guarantees force on each entry by itself.
#include "checker/course/balances.h"
#include "checker/course/lines.h"
#include "checker/course/order_search.h"
#include "fmt/format.h"

namespace bank::checker::course {
namespace {

using script::Operation;
using script::Script;

class SessionJudge {
 public:
  SessionJudge(const Script& script, const Answers& answers, Order order,
               const std::function<bool()>& out_of_time, Grade* grade)
      : script_(script),
        answers_(answers),
        order_(order),
        out_of_time_(out_of_time),
        grade_(grade),
        told_(script, answers) {}

  void Run() {
    if (!answers_.only_final && !told_.KnowsWrites(grade_)) return;
    if (answers_.only_final && told_.MayFail()) {
      return grade_->Undecided(
          "withdrawals may have failed, and final balances alone do not tell which");
    }
    for (size_t entry = 0; entry < script_.entries.size(); ++entry) {
      const size_t end = script_.entries[entry].operations.size();
      lines_.push_back(answers_.only_final ? told_.OfFinal(entry) : told_.Of(entry, end));
    }
    for (size_t entry = 0; entry < script_.entries.size(); ++entry) JudgeSession(entry);
  }

 private:
  // The others as they may be seen from `entry`, and of its own line the first `steps`.
  std::vector<Chain> SeenFrom(size_t entry, const Chain& own) const {
    std::vector<Chain> chains;
    const size_t end = order_ == Order::kSequential ? entry : lines_.size();
    for (size_t other = 0; other < end; ++other) {
      if (other == entry) continue;
      Chain chain;
      for (const Step& step : lines_[other].chain) {
        if (step.kind == Step::Kind::kAdd) chain.push_back({Step::Kind::kDrift, step.amount});
      }
      chains.push_back(std::move(chain));
    }
    chains.push_back(own);
    return chains;
  }

  OrderFound Explains(size_t entry, const Chain& own) const {
    return FindOrder(script_.balance, SeenFrom(entry, own), out_of_time_);
  }

  void JudgeSession(size_t entry) {
    const Line& line = lines_[entry];
    Chain own;
    for (size_t i = 0; i < line.chain.size(); ++i) {
      own.push_back(line.chain[i]);
      if (line.chain[i].kind == Step::Kind::kAdd && line.chain[i].amount > 0) continue;
      const OrderFound found = Explains(entry, own);
      if (found == OrderFound::kYes) continue;
      if (found == OrderFound::kOutOfTime) {
        grade_->Undecided("not every choice of what customer " +
                          std::to_string(script_.entries[entry].customer) +
                          " may have seen was tried in the time given (--budget-ms)");
        return;
      }
      own.pop_back();
      --grade_->values_right;
      Blame(entry, i, own);
      // Later ones are judged without it; a withdrawal has taken its money all the same.
      if (line.chain[i].kind == Step::Kind::kAdd) {
        own.push_back({Step::Kind::kDrift, line.chain[i].amount});
      }
    }
  }

  void Blame(size_t entry, size_t step, const Chain& own) {
    const Line& line = lines_[entry];
    const Step& last = line.chain[step];
    const uint64_t customer = script_.entries[entry].customer;
    const std::string place = told_.Place(entry, line.operations[step]);
    if (last.kind != Step::Kind::kSee) {
      grade_->Add(place, "nothing that the customer can have seen explains this result: " +
                             told_.Shown(entry, line.operations[step]));
      return;
    }
    // Without one of its own writes?
    for (size_t i = step; i-- > 0;) {
      if (line.chain[i].kind != Step::Kind::kAdd) continue;
      Chain without;
      for (size_t j = 0; j < step; ++j) {
        if (j != i && line.chain[j].kind == Step::Kind::kAdd) {
          without.push_back({Step::Kind::kDrift, line.chain[j].amount});
        }
      }
      Chain with = without;
      with.push_back({Step::Kind::kDrift, line.chain[i].amount});
      without.push_back(last);
      with.push_back(last);
      if (Explains(entry, without) != OrderFound::kYes) continue;
      if (Explains(entry, with) == OrderFound::kYes) continue;
      const Operation& op = script_.entries[entry].operations[line.operations[i]];
      std::string where;
      if (line.operations[step] != kFinal) {
        const Operation& query = script_.entries[entry].operations[line.operations[step]];
        if (query.branch_named) where = fmt::format(" at branch {}", query.branch.value);
      }
      const std::string at = op.branch_named ? fmt::format(" at branch {}", op.branch.value) : "";
      grade_->Add(
          place,
          fmt::format("customer {} read {}{} after its {} of {} was acknowledged{}: it did not "
                      "read its own write",
                      customer, last.amount, where, script::InterfaceName(op.interface), op.money,
                      at),
          {told_.Shown(entry, line.operations[i])});
      return;
    }
    std::vector<std::string> events;
    for (size_t i = 0; i < step; ++i) events.push_back(told_.Shown(entry, line.operations[i]));
    Chain alone;
    for (const Step& before : own) {
      if (before.kind == Step::Kind::kAdd) alone.push_back({Step::Kind::kDrift, before.amount});
    }
    alone.push_back(last);
    if (Explains(entry, alone) == OrderFound::kYes) {
      grade_->Add(
          place,
          fmt::format("customer {} read {} after it had seen more: its reads are not monotonic",
                      customer, last.amount),
          std::move(events));
      return;
    }
    grade_->Add(place,
                fmt::format("customer {} read {}, which no choice of the others' writes explains",
                            customer, last.amount),
                std::move(events));
  }

  const Script& script_;
  const Answers& answers_;
  const Order order_;
  const std::function<bool()>& out_of_time_;
  Grade* const grade_;
  const Lines told_;
  std::vector<Line> lines_;  // of the entries
};

}  // namespace

void JudgeSessions(const Script& script, const Answers& answers, Order order,
                   const std::function<bool()>& out_of_time, Grade* grade) {
  SessionJudge(script, answers, order, out_of_time, grade).Run();
}

}  // namespace bank::checker::course
