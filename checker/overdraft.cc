#include "checker/overdraft.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "checker/rules.h"

namespace bank::checker {
namespace {

using Answer = OverdraftCheck::Answer;
using Balances = std::map<std::string, Wide>;

constexpr size_t kStatesMax = 200'000;

bool IsTransfer(const JepsenOperation& op) {
  return op.function == JepsenOperation::Function::kTransfer;
}

// Accounts that no read shows may hold anything.
void Add(Balances* balances, const std::string& account, Wide amount) {
  if (const auto found = balances->find(account); found != balances->end()) {
    found->second += amount;
  }
}
void Carry(const JepsenOperation& op, Wide times, Balances* balances) {
  Add(balances, op.first, -times * op.amount);
  Add(balances, op.second, times * op.amount);
}
bool IsOverdrawn(const Balances& balances, const std::string& account) {
  const auto found = balances.find(account);
  return found != balances.end() && found->second < 0;
}
bool LeavesOverdrawn(const JepsenOperation& op, const Balances& balances) {
  return IsOverdrawn(balances, op.first) || IsOverdrawn(balances, op.second);
}

// Looks for an order of all `required` and any of `rest`, by depth-first search over sets.
class Ordering {
 public:
  enum class Found : uint8_t { kYes, kNo, kUnknown };

  Ordering(const std::vector<JepsenOperation>& operations, const std::vector<size_t>& required,
           const std::vector<size_t>& rest, Balances balances)
      : balances_(std::move(balances)), left_(required.size()) {
    for (size_t i : required) steps_.push_back({&operations[i], true});
    for (size_t i : rest) steps_.push_back({&operations[i], false});
    std::sort(steps_.begin(), steps_.end(),
              [](const Step& a, const Step& b) { return a.op->invoke < b.op->invoke; });
    std::mt19937_64 random(20261121);
    for (Step& step : steps_) step.mark = random();
  }

  Found Run() {
    std::vector<Frame> frames = {{Candidates(), 0}};
    while (left_ != 0) {
      Frame& frame = frames.back();
      if (frame.next == frame.candidates.size()) {
        frames.pop_back();
        if (frames.empty()) return Found::kNo;
        Take(frames.back().candidates[frames.back().next - 1], false);
        continue;
      }
      const size_t step = frame.candidates[frame.next++];
      Take(step, true);
      if (LeavesOverdrawn(*steps_[step].op, balances_) || !seen_.insert(done_).second) {
        Take(step, false);
        continue;
      }
      if (seen_.size() > kStatesMax) return Found::kUnknown;
      frames.push_back({Candidates(), 0});
    }
    return Found::kYes;
  }

 private:
  struct Step {
    const JepsenOperation* op = nullptr;
    bool is_required = false;
    bool is_done = false;
    uint64_t mark = 0;
  };
  struct Frame {
    std::vector<size_t> candidates;
    size_t next = 0;
  };

  // Those that nothing else has to come before: the required ones, in order of time, first.
  std::vector<size_t> Candidates() {
    while (first_ < steps_.size() && steps_[first_].is_done) ++first_;
    std::vector<size_t> candidates;
    int64_t until = kNever;
    for (size_t i = first_; i < steps_.size() && steps_[i].op->invoke < until; ++i) {
      if (steps_[i].is_done) continue;
      candidates.push_back(i);
      if (steps_[i].is_required) until = std::min(until, steps_[i].op->over);
    }
    std::stable_partition(candidates.begin(), candidates.end(),
                          [&](size_t i) { return steps_[i].is_required; });
    return candidates;
  }
  void Take(size_t i, bool forward) {
    Step& step = steps_[i];
    step.is_done = forward;
    if (!forward) first_ = std::min(first_, i);
    if (step.is_required && forward) --left_;
    if (step.is_required && !forward) ++left_;
    done_ ^= step.mark;
    Carry(*step.op, forward ? 1 : -1, &balances_);
  }

  std::vector<Step> steps_;  // by invocation
  Balances balances_;
  size_t left_;
  size_t first_ = 0;  // all before it are done
  uint64_t done_ = 0;
  absl::flat_hash_set<uint64_t> seen_;
};

class Checker {
 public:
  Checker(const std::vector<JepsenOperation>& operations, const std::vector<size_t>& order,
          const std::vector<size_t>& rest)
      : operations_(operations), order_(order), rest_(rest) {}

  OverdraftCheck Run() {
    const auto first =
        std::find_if(order_.begin(), order_.end(), [&](size_t i) { return !IsTransfer(Op(i)); });
    if (first == order_.end()) return {};  // nothing is known of any account
    for (const auto& [account, balance] : Op(*first).balances) balances_[account] = balance;
    for (auto i = order_.begin(); i != first; ++i) Carry(Op(*i), -1, &balances_);
    const bool begins_well = std::all_of(balances_.begin(), balances_.end(),
                                         [](const auto& b) { return b.second >= 0; });
    size_t from = 0;
    for (size_t to = 0; to <= order_.size(); ++to) {
      if (to < order_.size() && IsTransfer(Op(order_[to]))) continue;
      if ((from == 0 && !begins_well) || !Passes(from, to)) return Failure(from, to);
      from = to + 1;
    }
    return {};
  }

 private:
  const JepsenOperation& Op(size_t i) const { return operations_[i]; }

  // Carries out the transfers at [from, to) of the order: as they stand, or in another order.
  bool Passes(size_t from, size_t to) {
    const Balances before = balances_;
    bool fine = true;
    for (size_t i = from; i < to; ++i) {
      Carry(Op(order_[i]), 1, &balances_);
      fine = fine && !LeavesOverdrawn(Op(order_[i]), balances_);
    }
    if (fine) return true;
    const std::vector<size_t> required(order_.begin() + static_cast<std::ptrdiff_t>(from),
                                       order_.begin() + static_cast<std::ptrdiff_t>(to));
    // Only behind the last read nobody counts what else has happened.
    const bool is_last = to == order_.size();
    Ordering ordering(operations_, required, is_last ? rest_ : std::vector<size_t>(), before);
    found_ = ordering.Run();
    return found_ == Ordering::Found::kYes;
  }

  // The transfers at [from, to) cannot be put in order. Certain only if time alone tells that
  // exactly these stand between the two reads.
  OverdraftCheck Failure(size_t from, size_t to) const {
    OverdraftCheck check;
    check.answer = Answer::kPossible;
    const JepsenOperation* begin = from == 0 ? nullptr : &Op(order_[from - 1]);
    const JepsenOperation* end = to == order_.size() ? nullptr : &Op(order_[to]);
    const auto is_before = [](const JepsenOperation* a, const JepsenOperation* b) {
      return a == nullptr || b == nullptr || a->over < b->invoke;
    };
    if (found_ == Ordering::Found::kUnknown) return check;
    for (size_t i = 0; i < order_.size(); ++i) {
      const JepsenOperation* op = &Op(order_[i]);
      if (!IsTransfer(*op)) continue;
      const bool told = i < from ? is_before(op, begin)
                        : i < to ? is_before(begin, op) && is_before(op, end)
                                 : is_before(end, op);
      if (!told || (op->over == kNever && i < to)) return check;
    }
    for (size_t i : rest_) {
      if (end == nullptr || end->over >= Op(i).invoke) return check;
    }
    check.answer = Answer::kCertain;
    check.culprits.assign(
        order_.begin() + static_cast<std::ptrdiff_t>(from == 0 ? 0 : from - 1),
        order_.begin() + static_cast<std::ptrdiff_t>(std::min(to + 1, order_.size())));
    return check;
  }

  const std::vector<JepsenOperation>& operations_;
  const std::vector<size_t>& order_;
  const std::vector<size_t>& rest_;
  Balances balances_;
  Ordering::Found found_ = Ordering::Found::kNo;
};

}  // namespace

OverdraftCheck CheckOverdraft(const std::vector<JepsenOperation>& operations,
                              const std::vector<size_t>& order, const std::vector<size_t>& rest) {
  return Checker(operations, order, rest).Run();
}

}  // namespace bank::checker
