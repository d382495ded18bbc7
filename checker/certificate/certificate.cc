#include "checker/certificate/certificate.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "fmt/format.h"

namespace bank::checker {

Certificate::Certificate(const InitialState& initial, const AccountNames* names, Options options)
    : names_(names), options_(options) {
  bank_.accounts_max = static_cast<uint64_t>(initial.accounts_max);
  for (const auto& [account, balance] : initial.balances) {
    if (account >= accounts_.size()) accounts_.resize(names_->size());
    Account& entry = accounts_[account];
    entry.view = {AccountView::kPresent, balance};
    entry.epoch = epoch_;
    entry.is_met = true;
    total_most_ += balance;
    ++accounts_most_;
  }
  if (options_.foreign_writers) return;
  const bool has_others = !initial.given || options_.has_others;
  problem_.has_others = has_others;
  bank_.money.parts = {total_most_, has_others ? kUnbounded : total_most_};
  bank_.accounts.parts = {Wide{accounts_most_}, has_others ? kUnbounded : Wide{accounts_most_}};
}

bool Certificate::Add(const Operation& op) {
  const uint64_t place = op.index * 2 + (op.is_read() ? 1 : 0);
  if (violation_) return place >= judged_place_;
  if (place < judged_place_) return false;
  uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<uint32_t>(pool_.size());
    pool_.push_back(op);
  } else {
    slot = free_.back();
    free_.pop_back();
    pool_[slot] = op;
  }
  heap_.push({place, slot});
  window_peak_ = std::max(window_peak_, heap_.size());
  return true;
}

void Certificate::AddUnknown(const Operation& op) {
  if (options_.order_only || options_.placed != nullptr || options_.foreign_writers) return;
  unknown_since_ = std::min(unknown_since_, op.invoke_ns);
  problem_.unknown.push_back(op);
  CountMost(op);
}

// What the bank may hold at most, whatever happened.
void Certificate::CountMost(const Operation& op) {
  if (op.kind == OpKind::kOpen) ++accounts_most_;
  if (op.kind == OpKind::kOpen || op.kind == OpKind::kDeposit) {
    total_most_ += std::max<int64_t>(op.amount, 0);
  }
}

void Certificate::SetNewest(const Operation& op) {
  if (has_newest_ && op.invoke_ns <= newest_.invoke_ns) return;
  newest_ = op;
  has_newest_ = true;
}

void Certificate::Advance(int64_t oldest_open_ns) {
  while (!violation_ && !heap_.empty() && pool_[heap_.top().slot].return_ns < oldest_open_ns) {
    JudgeNext();
  }
}

void Certificate::Finish(uint64_t last_index) {
  while (!violation_ && !heap_.empty()) JudgeNext();
  if (violation_) return;
  if (options_.placed != nullptr) PassPlaced(UINT64_MAX);
  if (!problem_.unknown.empty()) Seal(last_index);
}

void Certificate::JudgeNext() {
  const Pending next = heap_.top();
  heap_.pop();
  judged_place_ = next.place;
  const Operation op = pool_[next.slot];
  free_.push_back(next.slot);
  Judge(op, op.is_read());
}

void Certificate::Judge(const Operation& op, bool is_read) {
  if (is_read) {
    if (op.index > last_index_) PassGap(op.index, op.return_ns);
    if (op.freshness == Freshness::kAtLeast && op.index < op.minimum_index) {
      return Report(
          ViolationKind::kRealTime,
          fmt::format("a read that had to see position {} saw only {}", op.minimum_index, op.index),
          {op});
    }
  } else {
    if (op.index == last_index_ && last_index_ != 0 && last_write_.index == op.index) {
      return Report(ViolationKind::kDuplicateIndex,
                    fmt::format("two operations hold position {}", op.index), {last_write_, op});
    }
    if (op.index > last_index_ + 1) PassGap(op.index - 1, op.return_ns);
    last_index_ = op.index;
    if (has_newest_read_) SetNewest(newest_read_);
    has_newest_read_ = false;
  }
  if (violation_ || !CheckRealTime(op)) return;
  if (!options_.order_only) {
    CheckAnswer(op);
    if (violation_) return;
  }
  if (!problem_.gaps.empty()) {
    int64_t& return_min = problem_.gaps.back().return_min;
    return_min = std::min(return_min, op.return_ns);
  }
  if (!is_read) {
    last_write_ = op;
    SetNewest(op);
  } else if (op.freshness == Freshness::kLinearizable &&
             (!has_newest_read_ || op.invoke_ns > newest_read_.invoke_ns)) {
    newest_read_ = op;
    has_newest_read_ = true;
  }
}

void Certificate::PassGap(uint64_t until, int64_t return_ns) {
  const uint64_t length = until - last_index_;
  unheld_ += length;
  // Reads of the position before stand before everything that comes now.
  if (has_newest_read_) SetNewest(newest_read_);
  has_newest_read_ = false;
  if (options_.placed != nullptr) PassPlaced(until);
  // Those that are not known yet were invoked after what is judged now.
  if (unknown_since_ <= return_ns) OpenGap(last_index_ + 1, length);
  last_index_ = until;
  if (options_.foreign_writers) ++epoch_;
}

void Certificate::OpenGap(uint64_t first, uint64_t length) {
  if (problem_.gaps.empty()) problem_.bank = bank_;
  if (problem_.gaps.size() + problem_.events.size() >= options_.kept_max) is_too_much_ = true;
  if (is_too_much_) return;
  problem_.gaps.push_back({.first = first,
                           .length = std::min<uint64_t>(length, problem_.unknown.size()),
                           .next_event = static_cast<uint32_t>(problem_.events.size())});
}

// Carries out what was placed up to a position.
void Certificate::PassPlaced(uint64_t until) {
  for (; placed_ < options_.placed->size() && !violation_; ++placed_) {
    const Operation& op = (*options_.placed)[placed_];
    if (op.index > until) return;
    const Operation done = AsDone(op);
    BankView state = StateFor(done);
    if (op.index <= last_index_ || !Agrees(done, state)) {
      return Report(ViolationKind::kBalance, "an operation was placed where it cannot have been",
                    {op});
    }
    Carry(done, &state);
    Follow(done, state);
    SetNewest(op);
  }
}

bool Certificate::CheckRealTime(const Operation& op) {
  if (has_newest_ && op.return_ns < newest_.invoke_ns) {
    // `op` stands behind `newest_` in the order, but was over before that began.
    std::string why;
    if (newest_.is_read() && op.is_read()) {
      why = fmt::format("a read saw position {}, and one that began later only position {}",
                        op.index, newest_.index);
    } else if (newest_.is_read()) {
      why = fmt::format(
          "stale read: the operation at position {} was over before a read began "
          "that saw only position {}",
          op.index, newest_.index);
    } else if (op.is_read()) {
      why = fmt::format(
          "a read saw position {} and was over before the operation at position {} "
          "began",
          op.index, newest_.index);
    } else {
      why = fmt::format("position {} was over before position {} began", op.index, newest_.index);
    }
    Report(ViolationKind::kRealTime, why, {newest_, op});
    return false;
  }
  return true;
}

Certificate::Account& Certificate::AccountAt(uint32_t account) {
  if (account >= accounts_.size()) accounts_.resize(std::max<size_t>(account + 1, names_->size()));
  Account& entry = accounts_[account];
  if (options_.foreign_writers && entry.epoch != epoch_) {
    entry.view = {};
    entry.epoch = epoch_;
  }
  if (!std::exchange(entry.is_met, true)) Meet(account, &entry);
  return entry;
}

// The header does not name the account: it may have been there, with any balance.
void Certificate::Meet(uint32_t number, Account* account) {
  if (names_->is_bad(number)) account->view = {AccountView::kAbsent};
  if (options_.foreign_writers) return;
  const AccountView absent = {AccountView::kAbsent};
  bank_.Recount(absent, account->view);
  if (!problem_.gaps.empty()) problem_.bank.Recount(absent, account->view);
}

BankView Certificate::StateFor(const Operation& op) {
  AccountView account = AccountAt(op.account).view;
  AccountView to = op.kind == OpKind::kTransfer ? AccountAt(op.to).view : AccountView{};
  BankView state = bank_;
  state.account = account;
  state.to = to;
  state.Recognize(op, *names_);
  return state;
}

// The state of the operation's accounts, and of the bank, is `state` from now on.
void Certificate::Follow(const Operation& op, const BankView& state) {
  const bool opened = op.answer == Answer::kOk && op.kind == OpKind::kOpen;
  const auto follow = [&](uint32_t number, const AccountView& view) {
    Account& account = AccountAt(number);
    const bool was_there = account.view.is_certainly_there();
    if (!was_there && !opened && view.presence != AccountView::kAbsent) has_strangers_ = true;
    account.view = view;
  };
  follow(op.account, state.account);
  if (op.kind == OpKind::kTransfer && op.to != op.account) follow(op.to, state.to);
  if (options_.foreign_writers) return;
  bank_.money = state.money;
  bank_.accounts = state.accounts;
}

void Certificate::CheckAnswer(const Operation& op) {
  // What a refusal says of the bank as a whole counts with what it was asked for.
  if (op.took_effect() || op.answer == Answer::kOverflow || op.answer == Answer::kTooManyAccounts) {
    CountMost(op);
  }
  tells_limits_ = tells_limits_ || op.answer == Answer::kTooManyAccounts ||
                  (op.answer == Answer::kOverflow && op.kind != OpKind::kTransfer);
  BankView state = StateFor(op);
  const bool account_open = IsOpen(accounts_[op.account]);
  const bool to_open = op.kind == OpKind::kTransfer && IsOpen(accounts_[op.to]);
  const bool is_open = account_open || to_open;
  if (is_open || (options_.keep_all && !problem_.gaps.empty())) Keep(op);
  const AccountView expected = state.account;
  // The usual way: it can mean one thing only.
  const bool is_plain =
      state.account.presence != AccountView::kUnknown &&
      (op.kind != OpKind::kTransfer || state.to.presence != AccountView::kUnknown);
  const bool agrees_as_it_is = is_plain ? CarryOne(op, 0, &state) : Agrees(op, state);
  if (!agrees_as_it_is) {
    // What unknown operations may have changed is not known any more. As few accounts as possible
    // are taken for changed: of the others it stays known what they miss later.
    BankView open = state;
    if (!problem_.gaps.empty()) {
      open.money = kAnyMoney;
      open.accounts = {};
    }
    const auto agrees = [&](bool opens_account, bool opens_to) {
      open.account = opens_account && account_open ? AccountView{} : state.account;
      open.to = opens_to && to_open ? AccountView{} : state.to;
      return Agrees(op, open);
    };
    if (!agrees(true, false) && !agrees(false, true) && !agrees(true, true)) {
      open.money = kAnyMoney;
      open.accounts = {};
      rests_on_limits_ = Agrees(op, open);
      return Report(ViolationKind::kBalance,
                    fmt::format("at position {}, {}: {}", op.index, Describe(op, *names_),
                                Disagreement(op, state)),
                    {op});
    }
    needs_unknown_ = true;
    Carry(op, &open);
    state.Recount(state.account, open.account);
    state.account = open.account;
    if (op.kind == OpKind::kTransfer) {
      state.Recount(state.to, open.to);
      state.to = open.to;
    }
    state.money.whole = kAnyMoney.whole;
    state.accounts.whole = Sum{}.whole;
  } else if (!is_plain) {
    Carry(op, &state);
  }
  Follow(op, state);
  if (!TellsAll(op)) return;
  Account& account = accounts_[op.account];
  if (account_open) CloseInterval(op, expected);
  account.gaps_told = static_cast<uint32_t>(problem_.gaps.size());
  account.observed = op.index;
}

// Keeps the answer for those who explain what unknown operations did.
void Certificate::Keep(const Operation& op) {
  if (problem_.gaps.size() + problem_.events.size() >= options_.kept_max) is_too_much_ = true;
  if (is_too_much_) return;
  PlacementProblem::Event event{.op = op};
  const auto see = [&](uint32_t account, uint32_t* certain) {
    if (IsOpen(accounts_[account])) {
      OpenInterval(account);
      problem_.intervals[account].back().has_events = true;
      return;
    }
    *certain = static_cast<uint32_t>(problem_.certain.size());
    problem_.certain.push_back(accounts_[account].view);
  };
  see(op.account, &event.account);
  if (op.kind == OpKind::kTransfer) see(op.to, &event.to);
  problem_.events.push_back(event);
}

// The first answer about the account behind a gap, or the end: until then it held what it had held.
void Certificate::OpenInterval(uint32_t number) {
  Account& account = accounts_[number];
  if (account.has_interval) return;
  account.has_interval = true;
  if (problem_.intervals.size() <= number) {
    problem_.intervals.resize(std::max<size_t>(number + 1, names_->size()));
  }
  problem_.intervals[number].push_back(
      {.opening = account.view, .since = account.observed, .first_gap = account.gaps_told});
}

// `expected`: before `op`, without unknown operations.
void Certificate::CloseInterval(const Operation& op, const AccountView& expected) {
  accounts_[op.account].has_interval = false;
  if (is_too_much_) return;
  PlacementProblem::Interval& interval = problem_.intervals[op.account].back();
  interval.last_gap = static_cast<uint32_t>(problem_.gaps.size() - 1);
  interval.end_event = static_cast<uint32_t>(problem_.events.size() - 1);
  const bool was_there = op.answer != Answer::kUnknownAccount &&
                         !(op.answer == Answer::kOk && op.kind == OpKind::kOpen);
  if (expected.presence == AccountView::kUnknown) return;
  interval.has_missing = true;
  interval.opens = was_there && expected.presence == AccountView::kAbsent;
  interval.missing = ToldBefore(op) - expected.least();
}

void Certificate::Seal(uint64_t last_index) {
  if (last_index > last_index_ || (last_index != 0 && !problem_.gaps.empty())) {
    OpenGap(last_index_ + 1, last_index - last_index_);
  }
  if (is_too_much_ || problem_.gaps.empty()) return;
  for (uint32_t number = 0; number < names_->size(); ++number) {
    if (!IsOpen(AccountAt(number))) continue;
    OpenInterval(number);
    problem_.intervals[number].back().last_gap = static_cast<uint32_t>(problem_.gaps.size() - 1);
  }
  problem_.intervals.resize(accounts_.size());
  int64_t return_min = kNever;
  for (auto gap = problem_.gaps.rbegin(); gap != problem_.gaps.rend(); ++gap) {
    gap->return_min = return_min = std::min(return_min, gap->return_min);
  }
  problem_.has_all_events = options_.keep_all;
}

std::optional<PlacementProblem> Certificate::TakeProblem() {
  if (is_too_much_) return std::nullopt;
  return std::move(problem_);
}

Violation Certificate::Unexplained(const Operation& op, const BankView& state,
                                   uint64_t since) const {
  Violation violation;
  violation.kind = ViolationKind::kBalance;
  violation.why = fmt::format("at position {}, {}: {}", op.index, Describe(op, *names_),
                              Disagreement(op, state));
  violation.operations = {op};
  violation.first_index = since;
  violation.last_index = op.index;
  return violation;
}

void Certificate::Report(ViolationKind kind, std::string why, std::vector<Operation> operations) {
  Violation violation;
  violation.kind = kind;
  violation.why = std::move(why);
  violation.operations = std::move(operations);
  const Operation& op = violation.operations.back();
  violation.last_index = op.index;
  if (kind == ViolationKind::kBalance) {
    violation.first_index = AccountAt(op.account).observed;
    if (op.kind == OpKind::kTransfer && op.to < accounts_.size()) {
      violation.first_index = std::min(violation.first_index, accounts_[op.to].observed);
    }
  }
  violation_ = std::move(violation);
}

ExpectedState Certificate::expected_state() const {
  ExpectedState expected_state;
  std::vector<AccountView> views;
  BankView bank = bank_;
  for (uint32_t i = 0; i < names_->size(); ++i) {
    AccountView view;
    const bool is_met = i < accounts_.size() && accounts_[i].is_met;
    if (is_met && !options_.foreign_writers) view = accounts_[i].view;
    if (names_->is_bad(i)) view = {AccountView::kAbsent};
    if (!is_met) bank.Recount({AccountView::kAbsent}, view);
    views.push_back(view);
  }
  expected_state.end = EndStateOf(views, bank.money, bank.accounts);
  expected_state.index_newest = last_index_;
  expected_state.positions = last_index_ - unheld_ + placed_;
  return expected_state;
}

}  // namespace bank::checker
