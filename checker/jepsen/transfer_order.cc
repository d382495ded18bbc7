#include "checker/jepsen/transfer_order.h"

#include <algorithm>
#include <limits>
#include <random>
#include <utility>

#include "absl/container/flat_hash_set.h"

namespace bank::checker {
namespace {

using Answer = TransferOrder::Answer;

constexpr size_t kOrderStatesMax = 200'000;

class Ordering {
 public:
  Ordering(const BankSteps& bank, const std::vector<size_t>& required,
           const std::vector<size_t>& rest, BankBalances balances, Known known,
           const Budget& budget)
      : bank_(bank),
        budget_(budget),
        balances_(std::move(balances)),
        times_(known == Known::kBefore ? 1 : -1),
        left_(required.size()) {
    for (size_t i : required) Add(i, true);
    for (size_t i : rest) Add(i, false);
    std::sort(items_.begin(), items_.end(),
              [](const Item& a, const Item& b) { return a.begin < b.begin; });
    std::mt19937_64 random(20261121);
    for (Item& item : items_) item.mark = {random(), random()};
  }

  TransferOrder Run() {
    std::vector<Frame> frames = {{Candidates(), 0}};
    while (left_ != 0) {
      Frame& frame = frames.back();
      if (frame.next == frame.candidates.size()) {
        frames.pop_back();
        if (frames.empty()) return {Answer::kNone, {}};
        Take(frames.back().candidates[frames.back().next - 1], false);
        continue;
      }
      const size_t item = frame.candidates[frame.next++];
      Take(item, true);
      if (IsOverdrawn(bank_, bank_.steps[items_[item].step], balances_) ||
          !seen_.insert(done_).second) {
        Take(item, false);
        continue;
      }
      if (seen_.size() > kOrderStatesMax || (seen_.size() % 256 == 0 && budget_.IsOver())) {
        return {Answer::kUnknown, {}};
      }
      frames.push_back({Candidates(), 0});
    }
    TransferOrder found{Answer::kFound, {}};
    for (size_t k = 0; k + 1 < frames.size(); ++k) {
      found.order.push_back(items_[frames[k].candidates[frames[k].next - 1]].step);
    }
    if (times_ < 0) std::reverse(found.order.begin(), found.order.end());
    return found;
  }

 private:
  struct Item {
    size_t step = 0;
    int64_t begin = 0;  // when it may come first, in the direction of the search
    int64_t end = 0;    // and last
    bool is_required = false;
    bool is_done = false;
    std::pair<uint64_t, uint64_t> mark;
  };
  struct Frame {
    std::vector<size_t> candidates;
    size_t next = 0;
  };

  void Add(size_t step, bool is_required) {
    const BankStep& s = bank_.steps[step];
    Item item;
    item.step = step;
    item.is_required = is_required;
    // Backwards, what was over first is last. kNever has a negative.
    item.begin = times_ > 0 ? s.invoke : -s.over;
    item.end = times_ > 0 ? s.over : -s.invoke;
    items_.push_back(item);
  }

  // Those that nothing else has to come before: the required ones, in order of time, first.
  std::vector<size_t> Candidates() {
    while (first_ < items_.size() && items_[first_].is_done) ++first_;
    std::vector<size_t> candidates;
    int64_t until = kNever;
    for (size_t i = first_; i < items_.size() && items_[i].begin <= until; ++i) {
      if (items_[i].is_done || IsTooLate(items_[i])) continue;
      candidates.push_back(i);
      if (items_[i].is_required) until = std::min(until, items_[i].end);
    }
    std::stable_partition(candidates.begin(), candidates.end(),
                          [&](size_t i) { return items_[i].is_required; });
    return candidates;
  }
  // An optional one that would have to stand before one that is done.
  bool IsTooLate(const Item& item) const {
    return !item.is_required && item.end != kNever &&
           std::any_of(items_.begin(), items_.end(),
                       [&](const Item& other) { return other.is_done && item.end < other.begin; });
  }
  void Take(size_t i, bool forward) {
    Item& item = items_[i];
    item.is_done = forward;
    if (!forward) first_ = std::min(first_, i);
    if (item.is_required && forward) --left_;
    if (item.is_required && !forward) ++left_;
    done_.first ^= item.mark.first;
    done_.second ^= item.mark.second;
    Carry(bank_.steps[item.step], forward ? times_ : -times_, &balances_);
  }

  const BankSteps& bank_;
  const Budget budget_;
  std::vector<Item> items_;  // by begin
  BankBalances balances_;
  const int times_;
  size_t left_;
  size_t first_ = 0;  // all before it are done
  std::pair<uint64_t, uint64_t> done_;
  absl::flat_hash_set<std::pair<uint64_t, uint64_t>> seen_;
};

}  // namespace

TransferOrder OrderTransfers(const BankSteps& bank, const std::vector<size_t>& required,
                             const std::vector<size_t>& rest, BankBalances balances, Known known,
                             const Budget& budget) {
  return Ordering(bank, required, rest, std::move(balances), known, budget).Run();
}

}  // namespace bank::checker
