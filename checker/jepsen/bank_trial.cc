#include "checker/jepsen/bank_trial.h"

#include <algorithm>
#include <random>

#include "checker/jepsen/transfer_order.h"

namespace bank::checker {
namespace {

constexpr size_t kTrialStatesMax = 2'000'000;

}  // namespace

BankTrial::BankTrial(const BankSteps& bank, const Budget& budget)
    : bank_(bank), budget_(budget), done_(bank.steps.size()) {
  std::mt19937_64 random(20261121);
  for (size_t i = 0; i < bank_.steps.size(); ++i) {
    by_begin_.push_back(i);
    marks_.emplace_back(random(), random());
    if (!bank_.steps[i].is_optional()) ++left_;
  }
  std::sort(by_begin_.begin(), by_begin_.end(),
            [&](size_t a, size_t b) { return bank_.steps[a].invoke < bank_.steps[b].invoke; });
  place_.resize(by_begin_.size());
  for (size_t k = 0; k < by_begin_.size(); ++k) place_[by_begin_[k]] = k;
}

// Steps that nothing undone has to come before: those that must be over first in front, or the one
// read that is right now, as it changes nothing.
std::vector<size_t> BankTrial::Candidates() {
  while (first_ < by_begin_.size() && done_[by_begin_[first_]]) ++first_;
  std::vector<size_t> candidates;
  int64_t until = kNever;
  for (size_t k = first_; k < by_begin_.size(); ++k) {
    const BankStep& step = bank_.steps[by_begin_[k]];
    if (step.invoke > until) break;
    if (done_[by_begin_[k]]) continue;
    candidates.push_back(by_begin_[k]);
    until = std::min(until, step.over);
  }
  for (size_t i : candidates) {
    const BankStep& step = bank_.steps[i];
    if (step.is_read() && first_read_ != SIZE_MAX && BalancesOf(bank_, step) == balances_)
      return {i};
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](size_t a, size_t b) { return bank_.steps[a].over < bank_.steps[b].over; });
  return candidates;
}

// False, with nothing changed, if the step cannot come now.
bool BankTrial::Take(size_t step) {
  const BankStep& s = bank_.steps[step];
  const bool is_first = s.is_read() && first_read_ == SIZE_MAX;
  if (is_first) {
    const TransferOrder before =
        OrderTransfers(bank_, taken_, {}, BalancesOf(bank_, s), Known::kAfter, budget_);
    if (before.answer == TransferOrder::Answer::kUnknown) is_complete_ = false;
    if (before.answer != TransferOrder::Answer::kFound) return false;
    first_order_ = before.order;
    balances_ = BalancesOf(bank_, s);
    first_read_ = taken_.size();
    first_mark_ = {mark_.first ^ marks_[step].first, mark_.second ^ marks_[step].second};
  } else if (s.is_read()) {
    if (BalancesOf(bank_, s) != balances_) return false;
  } else if (first_read_ != SIZE_MAX) {
    Carry(s, 1, &balances_);
    if (IsOverdrawn(bank_, s, balances_)) {
      Carry(s, -1, &balances_);
      return false;
    }
  }
  taken_.push_back(step);
  done_[step] = true;
  if (!s.is_optional()) --left_;
  mark_.first ^= marks_[step].first;
  mark_.second ^= marks_[step].second;
  return true;
}

void BankTrial::Back(size_t step) {
  const BankStep& s = bank_.steps[step];
  taken_.pop_back();
  if (first_read_ == taken_.size()) {
    first_read_ = SIZE_MAX;
    first_mark_ = {};
  } else if (!s.is_read() && first_read_ != SIZE_MAX) {
    Carry(s, -1, &balances_);
  }
  done_[step] = false;
  first_ = std::min(first_, place_[step]);
  if (!s.is_optional()) ++left_;
  mark_.first ^= marks_[step].first;
  mark_.second ^= marks_[step].second;
}

BankTrial::Answer BankTrial::Run() {
  std::vector<Frame> frames = {{Candidates(), 0}};
  std::vector<size_t> steps;  // one for each frame but the last
  uint64_t rounds = 0;
  while (left_ != 0) {
    if ((++rounds & 255) == 0 && budget_.IsOver()) return Answer::kUnknown;
    Frame& frame = frames.back();
    if (frame.next == frame.candidates.size()) {
      frames.pop_back();
      if (frames.empty()) return is_complete_ ? Answer::kViolation : Answer::kUnknown;
      Back(steps.back());
      steps.pop_back();
      continue;
    }
    const size_t step = frame.candidates[frame.next++];
    if (!Take(step)) continue;
    // The balances follow from what was done, up to the first read and at all.
    const std::pair<uint64_t, uint64_t> seen = {mark_.first + 3 * first_mark_.first,
                                                mark_.second + 5 * first_mark_.second};
    if (!seen_.insert(seen).second) {
      Back(step);
      continue;
    }
    if (seen_.size() > kTrialStatesMax) return Answer::kUnknown;
    steps.push_back(step);
    frames.push_back({Candidates(), 0});
  }
  order_ = std::move(first_order_);
  order_.insert(order_.end(), taken_.begin() + static_cast<std::ptrdiff_t>(order_.size()),
                taken_.end());
  return Answer::kExplained;
}

}  // namespace bank::checker
