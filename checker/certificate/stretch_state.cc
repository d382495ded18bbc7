#include "checker/certificate/stretch_state.h"

#include <algorithm>

namespace bank::checker {

void StretchState::BeginAt(uint32_t gap) {
  saved_.clear();
  uneven_.clear();
  money_ = problem_.bank.money;
  account_count_ = problem_.bank.accounts;
  accounts_.assign(problem_.intervals.size(), {});
  for (uint32_t account = 0; account < accounts_.size(); ++account) {
    const auto& intervals = problem_.intervals[account];
    const auto behind = std::upper_bound(
        intervals.begin(), intervals.end(), gap,
        [](uint32_t g, const Interval& interval) { return g < interval.first_gap; });
    if (behind == intervals.begin()) continue;
    State& state = accounts_[account];
    state.interval = static_cast<uint32_t>(behind - intervals.begin() - 1);
    state.view = (behind - 1)->opening;
    state.missing = (behind - 1)->missing;
    NoteUneven(account);
  }
}

void StretchState::BackTo(const Mark& mark) {
  while (saved_.size() > mark.saved) {
    const Saved& saved = saved_.back();
    State& state = accounts_[saved.account];
    state.view = saved.view;
    state.interval = saved.interval;
    state.missing = saved.missing;
    NoteUneven(saved.account);
    saved_.pop_back();
  }
  money_ = mark.money;
  account_count_ = mark.accounts;
}

const StretchState::Interval* StretchState::IntervalOf(uint32_t account) const {
  const auto& intervals = problem_.intervals[account];
  const uint32_t at = accounts_[account].interval;
  return at < intervals.size() ? &intervals[at] : nullptr;
}

bool StretchState::Opens(uint32_t account) const {
  const Interval* interval = IntervalOf(account);
  return interval != nullptr && interval->opens &&
         accounts_[account].view.presence == AccountView::kAbsent;
}

bool StretchState::IsUneven(uint32_t account) const {
  const Interval* interval = IntervalOf(account);
  if (interval == nullptr || !interval->has_missing) return false;
  return accounts_[account].missing != 0 || Opens(account);
}

void StretchState::NoteUneven(uint32_t account) {
  State& state = accounts_[account];
  const bool uneven = IsUneven(account);
  if (uneven == (state.uneven_at != kNone)) return;
  if (uneven) {
    state.uneven_at = static_cast<uint32_t>(uneven_.size());
    uneven_.push_back(account);
    return;
  }
  accounts_[uneven_.back()].uneven_at = state.uneven_at;
  uneven_[state.uneven_at] = uneven_.back();
  uneven_.pop_back();
  state.uneven_at = kNone;
}

void StretchState::Set(uint32_t account, const AccountView& view, uint32_t interval, Wide missing) {
  State& state = accounts_[account];
  saved_.push_back({account, state.interval, state.view, state.missing});
  state.view = view;
  state.interval = interval;
  state.missing = missing;
  NoteUneven(account);
}

BankView StretchState::StateFor(const Operation& op) const {
  BankView state = problem_.bank;
  state.account = accounts_[op.account].view;
  if (op.kind == OpKind::kTransfer) state.to = accounts_[op.to].view;
  state.Recognize(op, names_);
  state.money = problem_.has_all_events ? money_ : kAnyMoney;
  state.accounts = problem_.has_all_events ? account_count_ : Sum{};
  return state;
}

void StretchState::Place(const Operation& op) {
  BankView state = StateFor(op);
  Carry(op, &state);
  FollowBank(state);
  const auto change = [&](uint32_t account, const AccountView& view) {
    const State& now = accounts_[account];
    const Interval* interval = IntervalOf(account);
    const bool misses = interval != nullptr && interval->has_missing;
    Set(account, view, now.interval, misses ? now.missing - ChangeOf(op, account) : Wide{0});
  };
  change(op.account, state.account);
  if (op.to != kNoAccount) change(op.to, state.to);
}

void StretchState::Follow(uint32_t account, const AccountView& view, uint32_t event) {
  const State& now = accounts_[account];
  const Interval* interval = IntervalOf(account);
  if (interval == nullptr || interval->end_event != event) {
    Set(account, view, now.interval, now.missing);
    return;
  }
  const auto& intervals = problem_.intervals[account];
  const uint32_t next = now.interval + 1;
  const bool is_last = next >= intervals.size();
  Set(account, is_last ? view : intervals[next].opening, next,
      is_last ? Wide{0} : intervals[next].missing);
}

bool StretchState::Pass(uint32_t number, PlacementFailure* failure) {
  const PlacementProblem::Event& event = problem_.events[number];
  const Operation& op = event.op;
  BankView state = StateFor(op);
  if (event.account != kNone) state.account = problem_.certain[event.account];
  if (event.to != kNone) state.to = problem_.certain[event.to];
  if (!Agrees(op, state)) {
    uint64_t since = UINT64_MAX;
    for (const auto& [account, certain] :
         {std::pair(op.account, event.account), std::pair(op.to, event.to)}) {
      if (account == kNoAccount || certain != kNone) continue;
      if (const Interval* interval = IntervalOf(account)) since = std::min(since, interval->since);
    }
    *failure = {number, state, since == UINT64_MAX ? 0 : since};
    return false;
  }
  Carry(op, &state);
  FollowBank(state);
  if (event.account == kNone) Follow(op.account, state.account, number);
  if (op.kind == OpKind::kTransfer && event.to == kNone && op.to != op.account) {
    Follow(op.to, state.to, number);
  }
  return true;
}

bool StretchState::MayHold(Wide wanted) const {
  Bounds total = {0, problem_.has_others ? kUnbounded : 0};
  for (const State& state : accounts_) {
    total.low += state.view.least();
    total.high += state.view.most();
  }
  return wanted >= total.low && wanted <= total.high;
}

}  // namespace bank::checker
