// JudgeAtOnce(): answers that only some order of all operations explains.
#include <algorithm>
#include <limits>

#include "checker/course/balances.h"
#include "checker/course/lines.h"
#include "checker/course/order_search.h"
#include "checker/course/reachable_sums.h"
#include "fmt/format.h"

namespace bank::checker::course {
namespace {

using script::Interface;
using script::Operation;
using script::Script;

class AtOnceJudge {
 public:
  AtOnceJudge(const Script& script, const Answers& answers, Order order,
              const std::function<bool()>& out_of_time, Grade* grade)
      : script_(script),
        answers_(answers),
        order_(order),
        out_of_time_(out_of_time),
        grade_(grade),
        told_(script, answers) {}

  void Run() {
    if (answers_.only_final) return RunFinal();
    if (!told_.KnowsWrites(grade_)) return;
    for (size_t entry = 0; entry < script_.entries.size(); ++entry) {
      const size_t end = order_ == Order::kConverged
                             ? script_.entries[entry].CountBeforeFinalQueries()
                             : script_.entries[entry].operations.size();
      lines_.push_back(told_.Of(entry, end));
    }
    if (order_ == Order::kConverged) JudgeFinalQueries();
    JudgeLines(lines_, "no order of the operations explains these answers together");
  }

 private:
  void RunFinal() {
    for (size_t entry = 0; entry < script_.entries.size(); ++entry) {
      lines_.push_back(told_.OfFinal(entry));
    }
    if (told_.MayFail()) {
      if (FindOrder(script_.balance, ChainsOf(lines_), out_of_time_) != OrderFound::kYes) {
        grade_->Undecided(
            "withdrawals may have failed, and final balances alone do not tell which");
      }
      return;
    }
    JudgeLines(lines_, "no order of the operations explains these final balances together");
  }

  void JudgeFinalQueries() {
    Wide end = script_.balance;
    for (const Line& line : lines_) {
      for (const Step& step : line.chain) {
        if (step.kind == Step::Kind::kAdd) end += step.amount;
      }
    }
    if (end < 0 || end > std::numeric_limits<int64_t>::max()) return;  // no order, which is said
    const auto balance = static_cast<int64_t>(end);
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

  // A balance that no choice of the others' writes adds up to is wrong by itself.
  bool DropUnreachable(std::vector<Line>* lines) {
    const std::vector<Chain> chains = ChainsOf(*lines);
    bool found = false;
    for (size_t entry = 0; entry < lines->size(); ++entry) {
      Line& line = (*lines)[entry];
      std::vector<size_t> wrong;
      for (size_t i = 0; i < line.chain.size(); ++i) {
        const Step& step = line.chain[i];
        if (step.kind != Step::Kind::kSee || out_of_time_()) continue;
        if (CanReach(script_.balance, chains, entry, i, step.amount) != false) continue;
        wrong.push_back(i);
        std::vector<std::string> events;
        for (size_t j = 0; j < i; ++j) {
          if (Adds(line.chain[j])) events.push_back(told_.Shown(entry, line.operations[j]));
        }
        grade_->Add(
            told_.Place(entry, line.operations[i]),
            fmt::format("customer {} was told {}, but with its own writes before it, no choice "
                        "of the others' writes adds up to that from {}",
                        script_.entries[entry].customer, step.amount, script_.balance),
            std::move(events));
      }
      found = found || !wrong.empty();
      grade_->values_right -= wrong.size();
      for (auto it = wrong.rbegin(); it != wrong.rend(); ++it) line.Drop(*it);
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
        grade_->Add(told_.Place(entry, line.operations[i]),
                    fmt::format("it says \"{}\", but in every order the balance is at {} {} then",
                                in_vain ? "fail" : "success", in_vain ? "least" : "most",
                                static_cast<int64_t>(bound)),
                    {told_.Shown(entry, line.operations[i])});
        line.Drop(i);
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
        if (step.amount < 0) taken.push_back(told_.Shown(entry, lines[entry].operations[i]));
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
      for (auto it = sights.rbegin(); it != sights.rend(); ++it) lines[it->first].Drop(it->second);
      found = FindOrder(script_.balance, ChainsOf(lines), out_of_time_);
    }
  }

  void Contradict(const std::vector<Line>& lines,
                  const std::vector<std::pair<size_t, size_t>>& sights,
                  const std::string& sentence) {
    std::vector<std::string> events;
    std::string place;
    for (size_t entry = 0; entry < lines.size(); ++entry) {
      for (size_t i = 0; i < lines[entry].chain.size(); ++i) {
        const size_t operation = lines[entry].operations[i];
        const bool is_sight =
            std::find(sights.begin(), sights.end(), std::pair(entry, i)) != sights.end();
        if (is_sight) {
          if (place.empty()) place = told_.Place(entry, operation);
          --grade_->values_right;
        }
        // Each sight with its own writes before it; if none is needed, all results of writes.
        const bool leads_to_sight = std::any_of(
            sights.begin(), sights.end(),
            [&](const auto& sight) { return sight.first == entry && i < sight.second; });
        const bool is_write = lines[entry].chain[i].kind != Step::Kind::kSee;
        if (is_sight || (is_write && (leads_to_sight || sights.empty()))) {
          events.push_back(told_.Shown(entry, operation));
        }
      }
    }
    if (sights.empty()) grade_->values_right -= std::min(grade_->values_right, size_t{1});
    grade_->Add(place, sentence, std::move(events));
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

void JudgeAtOnce(const Script& script, const Answers& answers, Order order,
                 const std::function<bool()>& out_of_time, Grade* grade) {
  AtOnceJudge(script, answers, order, out_of_time, grade).Run();
}

}  // namespace bank::checker::course
