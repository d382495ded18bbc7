// JudgeAtOnce() and JudgeSessions(): answers that only some order of the operations explains.
#include <algorithm>
#include <limits>
#include <set>

#include "checker/course/balances.h"
#include "checker/course/order_search.h"
#include "fmt/format.h"

namespace bank::checker::course {
namespace {

using script::Interface;
using script::Operation;
using script::Script;

constexpr size_t kFinal = std::numeric_limits<size_t>::max();  // the operation after the last

constexpr const char* kFinalOnly =
    "withdrawals may have failed, and final balances alone do not tell which";

// An entry's chain, and which operation each of its steps is.
struct Line {
  Chain chain;
  std::vector<size_t> operations;

  void Push(Step step, size_t operation) {
    chain.push_back(step);
    operations.push_back(operation);
  }
};

// What an answered write did. nullopt: nothing, and nothing is to be seen of it.
std::optional<Step> StepOf(const Operation& op, const Told& told) {
  if (op.money == 0) return std::nullopt;
  if (op.interface == Interface::kDeposit) {
    return Step{told.success ? Step::Kind::kAdd : Step::Kind::kFull, op.money};
  }
  if (told.success) return Step{Step::Kind::kAdd, -op.money};
  return Step{Step::Kind::kBelow, op.money};
}

class AtOnceJudge {
 public:
  AtOnceJudge(const Script& script, const Answers& answers, Order order,
              const std::function<bool()>& out_of_time, Grade* grade)
      : script_(script),
        answers_(answers),
        order_(order),
        out_of_time_(out_of_time),
        grade_(grade) {}

  void RunTogether() {
    if (answers_.only_final) return RunFinal();
    if (!ReadWrites()) return;
    for (size_t entry = 0; entry < script_.entries.size(); ++entry) {
      const size_t end = order_ == Order::kConverged
                             ? script_.entries[entry].CountBeforeFinalQueries()
                             : script_.entries[entry].operations.size();
      lines_.push_back(LineOf(entry, end));
    }
    if (order_ == Order::kConverged) JudgeFinalQueries();
    JudgeLines(lines_, "no order of the operations explains these answers together");
  }

  void RunSessions() {
    if (!answers_.only_final && !ReadWrites()) return;
    if (answers_.only_final && MayFail()) return grade_->Undecided(kFinalOnly);
    for (size_t entry = 0; entry < script_.entries.size(); ++entry) {
      const size_t end = script_.entries[entry].operations.size();
      lines_.push_back(answers_.only_final ? FinalLineOf(entry) : LineOf(entry, end));
    }
    for (size_t entry = 0; entry < script_.entries.size(); ++entry) JudgeSession(entry);
  }

 private:
  // False: the result of some write cannot be read, which has been said; without it nothing is
  // certain about the others.
  bool ReadWrites() {
    for (size_t entry = 0; entry < script_.entries.size(); ++entry) {
      const auto& operations = script_.entries[entry].operations;
      for (size_t i = 0; i < operations.size(); ++i) {
        const Told& told = answers_.told[entry][i];
        if (operations[i].interface == Interface::kQuery || operations[i].money == 0) continue;
        if (!told.is_read) {
          grade_->notes.push_back("balances are not judged: the result of " +
                                  DescribeAsked(script_, entry, i) + " is not known");
          return false;
        }
      }
    }
    return true;
  }

  Line LineOf(size_t entry, size_t end) const {
    Line line;
    const auto& operations = script_.entries[entry].operations;
    for (size_t i = 0; i < end; ++i) {
      const Told& told = answers_.told[entry][i];
      if (operations[i].interface == Interface::kQuery) {
        if (told.is_read) line.Push({Step::Kind::kSee, told.balance}, i);
      } else if (const auto step = StepOf(operations[i], told)) {
        line.Push(*step, i);
      }
    }
    return line;
  }

  // Only final balances are known: whether withdrawals worked is not. If the money suffices for all
  // of them whatever the order (MayFail), they did.
  Line FinalLineOf(size_t entry) const {
    Line line;
    const auto& operations = script_.entries[entry].operations;
    for (size_t i = 0; i < operations.size(); ++i) {
      if (operations[i].interface == Interface::kQuery) continue;
      if (const auto step = StepOf(operations[i], Told{.success = true})) line.Push(*step, i);
    }
    const Told& told = answers_.final_told[entry];
    if (told.is_read) line.Push({Step::Kind::kSee, told.balance}, kFinal);
    return line;
  }

  // Whether the money may not suffice for every withdrawal, so that some may have failed.
  bool MayFail() const {
    Wide left = script_.balance;
    for (const script::Entry& entry : script_.entries) {
      for (const Operation& op : entry.operations) {
        if (op.interface == Interface::kWithdraw) left -= op.money;
      }
    }
    return left < 0;
  }

  void RunFinal() {
    for (size_t entry = 0; entry < script_.entries.size(); ++entry) {
      lines_.push_back(FinalLineOf(entry));
    }
    if (MayFail()) {
      if (FindOrder(script_.balance, ChainsOf(lines_), out_of_time_) != OrderFound::kYes) {
        grade_->Undecided(kFinalOnly);
      }
      return;
    }
    JudgeLines(lines_, "no order of the operations explains these final balances together");
  }

  void JudgeFinalQueries() {
    int64_t balance = script_.balance;
    for (const Line& line : lines_) {
      for (const Step& step : line.chain) {
        if (step.kind != Step::Kind::kAdd) continue;
        if (__builtin_add_overflow(balance, step.amount, &balance)) return;
      }
    }
    for (size_t entry = 0; entry < script_.entries.size(); ++entry) {
      const auto& operations = script_.entries[entry].operations;
      for (size_t i = script_.entries[entry].CountBeforeFinalQueries(); i < operations.size();
           ++i) {
        const Told& told = answers_.told[entry][i];
        if (!told.is_read || told.balance == balance) continue;
        --grade_->values_right;
        grade_->Add(told.place,
                    fmt::format("customer {}'s final query says {}, but the balance is {} when all "
                                "writes are done, and all final queries tell it",
                                script_.entries[entry].customer, told.balance, balance));
      }
    }
  }

  std::string Place(size_t entry, size_t operation) const {
    return operation == kFinal ? answers_.final_told[entry].place
                               : answers_.told[entry][operation].place;
  }

  std::string Shown(size_t entry, size_t operation) const {
    if (operation == kFinal) {
      const Told& told = answers_.final_told[entry];
      return fmt::format("{}: customer {} ends with {}", told.place,
                         script_.entries[entry].customer, told.balance);
    }
    const Told& told = answers_.told[entry][operation];
    const std::string asked = DescribeAsked(script_, entry, operation);
    if (script_.entries[entry].operations[operation].interface == Interface::kQuery) {
      return fmt::format("{}: {} told {}", told.place, asked, told.balance);
    }
    return fmt::format("{}: {} told {}", told.place, asked, told.success ? "success" : "fail");
  }

  static std::vector<Chain> ChainsOf(const std::vector<Line>& lines) {
    std::vector<Chain> chains;
    for (const Line& line : lines) chains.push_back(line.chain);
    return chains;
  }

  static void Drop(Line* line, size_t step) {
    line->chain.erase(line->chain.begin() + static_cast<ptrdiff_t>(step));
    line->operations.erase(line->operations.begin() + static_cast<ptrdiff_t>(step));
  }

  // A balance that no choice of the others' writes adds up to is wrong by itself.
  bool DropUnreachable(std::vector<Line>* lines) {
    const std::vector<Chain> chains = ChainsOf(*lines);
    bool found = false;
    for (size_t entry = 0; entry < lines->size(); ++entry) {
      Line& line = (*lines)[entry];
      for (size_t i = line.chain.size(); i-- > 0;) {
        const Step step = line.chain[i];
        if (step.kind != Step::Kind::kSee || out_of_time_()) continue;
        if (CanReach(script_.balance, chains, entry, i, step.amount) != false) continue;
        found = true;
        --grade_->values_right;
        std::vector<std::string> events;
        for (size_t j = 0; j < i; ++j) {
          if (line.chain[j].kind == Step::Kind::kAdd)
            events.push_back(Shown(entry, line.operations[j]));
        }
        grade_->Add(
            Place(entry, line.operations[i]),
            fmt::format("customer {} was told {}, but with its own writes before it, no choice "
                        "of the others' writes adds up to that from {}",
                        script_.entries[entry].customer, step.amount, script_.balance),
            std::move(events));
        Drop(&line, i);
      }
    }
    return found;
  }

  // A result that cannot be whatever the order: refused although there is always enough, or taken
  // although there is never enough.
  bool DropImpossible(std::vector<Line>* lines) {
    std::vector<std::pair<Wide, Wide>> reach;  // the least and the most of each entry's sums
    for (const Line& line : *lines) {
      Wide sum = 0;
      std::pair<Wide, Wide> bounds = {0, 0};
      for (const Step& step : line.chain) {
        if (step.kind == Step::Kind::kAdd) sum += step.amount;
        bounds = {std::min(bounds.first, sum), std::max(bounds.second, sum)};
      }
      reach.push_back(bounds);
    }
    bool found = false;
    for (size_t entry = 0; entry < lines->size(); ++entry) {
      Line& line = (*lines)[entry];
      Wide least = script_.balance;
      Wide most = script_.balance;
      for (size_t other = 0; other < lines->size(); ++other) {
        if (other == entry) continue;
        least += reach[other].first;
        most += reach[other].second;
      }
      for (size_t i = 0; i < line.chain.size();) {
        const Step step = line.chain[i];
        const bool in_vain = step.kind == Step::Kind::kBelow && least >= step.amount;
        const bool too_much = step.kind == Step::Kind::kAdd && most + step.amount < 0;
        if (!in_vain && !too_much) {
          if (step.kind == Step::Kind::kAdd) {
            least += step.amount;
            most += step.amount;
          }
          ++i;
          continue;
        }
        found = true;
        --grade_->values_right;
        const Wide bound =
            std::min(in_vain ? least : most, Wide(std::numeric_limits<int64_t>::max()));
        grade_->Add(Place(entry, line.operations[i]),
                    fmt::format("it says \"{}\", but in every order the balance is at {} {} then",
                                in_vain ? "fail" : "success", in_vain ? "least" : "most",
                                static_cast<int64_t>(bound)),
                    {Shown(entry, line.operations[i])});
        Drop(&line, i);
      }
    }
    return found;
  }

  // More was taken than there ever was.
  bool SpentTwice(const std::vector<Line>& lines) {
    Wide end = script_.balance;
    std::vector<std::string> taken;
    for (size_t entry = 0; entry < lines.size(); ++entry) {
      for (size_t i = 0; i < lines[entry].chain.size(); ++i) {
        const Step& step = lines[entry].chain[i];
        if (step.kind != Step::Kind::kAdd) continue;
        end += step.amount;
        if (step.amount < 0) taken.push_back(Shown(entry, lines[entry].operations[i]));
      }
    }
    if (end >= 0) return false;
    grade_->values_right -= std::min(grade_->values_right, size_t{1});
    grade_->Add("",
                fmt::format("the withdrawals that were told \"success\" take more than there ever "
                            "was: {} and all deposits are not enough; money was spent twice",
                            script_.balance),
                std::move(taken));
    return true;
  }

  void JudgeLines(std::vector<Line> lines, const std::string& sentence) {
    if (SpentTwice(lines)) return;
    OrderFound found = FindOrder(script_.balance, ChainsOf(lines), out_of_time_);
    while (found != OrderFound::kYes) {
      if (DropImpossible(&lines) || DropUnreachable(&lines)) {
        found = FindOrder(script_.balance, ChainsOf(lines), out_of_time_);
        continue;
      }
      if (found == OrderFound::kOutOfTime) {
        grade_->Undecided(
            "no order was found that explains all answers, and not all were tried in the "
            "time given (--budget-ms)");
        return;
      }
      const auto sights = ContradictingSights(script_.balance, ChainsOf(lines), out_of_time_);
      Contradict(lines, sights, sentence);
      if (sights.empty()) return;
      // From the end, so that the others keep their numbers.
      for (auto it = sights.rbegin(); it != sights.rend(); ++it)
        Drop(&lines[it->first], it->second);
      found = FindOrder(script_.balance, ChainsOf(lines), out_of_time_);
    }
  }

  void Contradict(const std::vector<Line>& lines,
                  const std::vector<std::pair<size_t, size_t>>& sights,
                  const std::string& sentence) {
    std::vector<std::string> events;
    std::string place;
    for (const auto& [entry, step] : sights) {
      const size_t operation = lines[entry].operations[step];
      if (place.empty()) place = Place(entry, operation);
      events.push_back(Shown(entry, operation));
      --grade_->values_right;
    }
    // With their writes; without any sight, the withdrawals contradict each other.
    for (size_t entry = 0; entry < lines.size(); ++entry) {
      for (size_t i = 0; i < lines[entry].chain.size(); ++i) {
        const Step& step = lines[entry].chain[i];
        const bool own = std::any_of(sights.begin(), sights.end(), [&](const auto& sight) {
          return sight.first == entry && i < sight.second;
        });
        if (step.kind == Step::Kind::kSee || (!own && !sights.empty())) continue;
        events.push_back(Shown(entry, lines[entry].operations[i]));
      }
    }
    if (sights.empty()) grade_->values_right -= std::min(grade_->values_right, size_t{1});
    grade_->Add(place, sentence, std::move(events));
  }

  // --- Sessions

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
    const std::string place = Place(entry, line.operations[step]);
    if (last.kind != Step::Kind::kSee) {
      grade_->Add(place, "nothing that the customer can have seen explains this result: " +
                             Shown(entry, line.operations[step]));
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
          {Shown(entry, line.operations[i])});
      return;
    }
    std::vector<std::string> events;
    for (size_t i = 0; i < step; ++i) events.push_back(Shown(entry, line.operations[i]));
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
  std::vector<Line> lines_;  // of the entries
};

}  // namespace

void JudgeAtOnce(const Script& script, const Answers& answers, Order order,
                 const std::function<bool()>& out_of_time, Grade* grade) {
  AtOnceJudge(script, answers, order, out_of_time, grade).RunTogether();
}

void JudgeSessions(const Script& script, const Answers& answers, Order order,
                   const std::function<bool()>& out_of_time, Grade* grade) {
  AtOnceJudge(script, answers, order, out_of_time, grade).RunSessions();
}

}  // namespace bank::checker::course
