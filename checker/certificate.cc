#include "checker/certificate.h"

#include <algorithm>
#include <limits>

#include "checker/placement.h"
#include "fmt/format.h"

namespace bank::checker {
namespace {

constexpr ptrdiff_t kJobsMax = 1024;  // older ones have long been overtaken by answers

}  // namespace

Certificate::Certificate(const HistoryReader::Initial& initial, const AccountNames* names,
                         Options options)
    : names_(names), options_(options), worlds_(1) {
  accounts_max_ = static_cast<uint64_t>(initial.accounts_max);
  total_known_ = initial.given;
  for (const auto& [account, balance] : initial.balances) {
    Account& entry = AccountAt(account);
    entry.view = {AccountView::kPresent, balance};
    entry.epoch = epoch_;
    total_ += balance;
    ++account_count_;
  }
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
  if (!Concerns(op) || options_.order_only) return;
  if (op.has_key()) {
    attempts_[{op.session, op.sequence}].push_back(static_cast<uint32_t>(unknown_.size()));
  }
  unknown_.push_back(op);
  is_placed_.push_back(false);
  Operation& added = unknown_.back();
  added.return_ns = kNever;
  if (options_.only_account == kNoAccount || op.kind != OpKind::kTransfer) return;
  added.kind = op.to == options_.only_account ? OpKind::kDeposit : OpKind::kWithdraw;
  added.account = options_.only_account;
  added.to = kNoAccount;
}

void Certificate::SetNewest(const Operation& op, bool is_placed) {
  if (has_newest_ && op.invoke_ns <= newest_.invoke_ns) return;
  newest_ = op;
  has_newest_ = true;
  newest_is_placed_ = is_placed;
}

void Certificate::Advance(int64_t oldest_open_ns) {
  while (!violation_ && !heap_.empty() && pool_[heap_.top().slot].return_ns < oldest_open_ns) {
    JudgeNext();
  }
}

void Certificate::Finish() {
  while (!violation_ && !heap_.empty()) JudgeNext();
  if (worlds_.size() == 1) Settle();
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
    if (op.index > last_index_) PassGap(op.index);
    if (op.freshness == Freshness::kAtLeast && op.index < op.minimum_index) {
      return Report(
          ViolationKind::kRealTime,
          fmt::format("a read that had to see position {} saw only {}", op.minimum_index, op.index),
          {op});
    }
  } else {
    if (op.index == last_index_ && last_index_ != 0 && last_write_.index == op.index) {
      certain_ = true;
      return Report(ViolationKind::kDuplicateIndex,
                    fmt::format("two operations hold position {}", op.index), {last_write_, op});
    }
    if (op.index > last_index_ + 1) PassGap(op.index - 1);
    last_index_ = op.index;
    if (has_newest_read_) SetNewest(newest_read_, false);
    has_newest_read_ = false;
  }
  if (!CheckRealTime(op)) return;
  if (Concerns(op) && !options_.order_only) {
    CheckAnswer(op);
    if (violation_) return;
    Apply(op);
  }
  if (!gaps_.empty()) gaps_.back().return_min = std::min(gaps_.back().return_min, op.return_ns);
  if (!is_read) {
    last_write_ = op;
    SetNewest(op, false);
  } else if (op.freshness == Freshness::kLinearizable &&
             (!has_newest_read_ || op.invoke_ns > newest_read_.invoke_ns)) {
    newest_read_ = op;
    has_newest_read_ = true;
  }
}

void Certificate::PassGap(uint64_t until) {
  const uint64_t length = until - last_index_;
  unheld_ += length;
  gaps_.push_back({last_index_ + 1, length, kNever});
  if (gaps_.size() > options_.gaps_max) {
    gaps_.pop_front();
    inexact_ = inexact_ || !unknown_.empty();
  }
  last_index_ = until;
  if (options_.foreign_writers) ++epoch_;
  // Reads of the position before stand before everything that comes now.
  if (has_newest_read_) SetNewest(newest_read_, false);
  has_newest_read_ = false;
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
    certain_ = !newest_is_placed_;
    Report(ViolationKind::kRealTime, why, {newest_, op});
    return false;
  }
  std::erase_if(worlds_,
                [&](const World& world) { return op.return_ns < world.newest_invocation; });
  if (worlds_.empty()) {
    Report(ViolationKind::kRealTime, "no placing of the unknown operations fits the order of time",
           {op});
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
  return entry;
}

AccountView Certificate::ViewOf(uint32_t account, const World& world) const {
  AccountView view;
  if (options_.only_account != kNoAccount && account != options_.only_account) return view;
  if (account < accounts_.size() &&
      (!options_.foreign_writers || accounts_[account].epoch == epoch_)) {
    view = accounts_[account].view;
  }
  for (const Change& change : world.changes) {
    if (change.account != account) continue;
    if (change.opened && view.presence == AccountView::kAbsent) {
      view = {AccountView::kPresent, 0};
    }
    view.balance += change.amount;
  }
  return view;
}

BankView Certificate::StateFor(const Operation& op, const World& world) const {
  BankView state;
  state.account = ViewOf(op.account, world);
  state.bad_account = names_->is_bad(op.account);
  if (op.kind == OpKind::kTransfer) {
    state.to = ViewOf(op.to, world);
    state.bad_account = state.bad_account || names_->is_bad(op.to) || op.to == op.account;
  }
  state.total = total_ + world.total;
  state.total_known =
      total_known_ && !options_.foreign_writers && options_.only_account == kNoAccount;
  state.accounts = account_count_ + world.accounts;
  state.accounts_max = accounts_max_;
  state.accounts_known = state.total_known;
  return state;
}

void Certificate::CheckAnswer(const Operation& op) {
  AccountAt(op.account);
  if (op.kind == OpKind::kTransfer) AccountAt(op.to);
  if (worlds_.size() == 1 && Agrees(op, StateFor(op, worlds_[0]))) return;  // as good as always

  std::vector<World> next;
  for (const World& world : worlds_) {
    if (Agrees(op, StateFor(op, world))) {
      next.push_back(world);
    } else if (!options_.foreign_writers) {
      Repair(this, op, world, &next).Run();
    }
  }
  if (next.empty()) {
    const BankView state = StateFor(op, worlds_[0]);
    Report(ViolationKind::kBalance,
           fmt::format("at position {}, {}: {}", op.index, Describe(op, *names_),
                       Disagreement(op, state)),
           {op});
    if (op.has_balance && op.answer == Answer::kOk &&
        state.account.presence == AccountView::kPresent) {
      Operation silent = op;
      const Wide change = op.kind == OpKind::kDeposit ? op.amount
                          : op.kind == OpKind::kQuery || op.kind == OpKind::kOpen
                              ? Wide{0}
                              : -static_cast<Wide>(op.amount);
      const Wide missing = op.balance - (state.account.balance + change);
      if (missing == static_cast<int64_t>(missing) && silent.kind != OpKind::kOpen) {
        violation_->missing = static_cast<int64_t>(missing);
        violation_->has_missing = true;
      }
    }
    return;
  }
  if (next.size() > options_.worlds_max) {
    next.resize(options_.worlds_max);
    inexact_ = true;
  }
  worlds_ = std::move(next);
  if (worlds_.size() == 1) Settle();
}

void Certificate::Learn(uint32_t account, const AccountView& view) {
  Account& entry = AccountAt(account);
  if (entry.view.presence != AccountView::kUnknown) return;
  entry.view = view;
  total_known_ = false;  // there was money the history does not account for
  for (World& world : worlds_) {
    std::erase_if(world.changes, [&](const Change& c) { return c.account == account; });
  }
}

void Certificate::Apply(const Operation& op) {
  Account& account = AccountAt(op.account);
  const bool told = op.has_balance && op.answer != Answer::kBadAmount &&
                    op.answer != Answer::kBadAccount && op.answer != Answer::kUnknownAccount;
  if (told || op.answer == Answer::kOk || op.answer == Answer::kUnknownAccount) {
    account.observed = op.index;
  }
  if (op.answer == Answer::kOk && op.kind == OpKind::kOpen) {
    if (account.view.presence != AccountView::kPresent) ++account_count_;
    account.view = {AccountView::kPresent, op.amount};
    total_ += op.amount;
    return;
  }
  if (account.view.presence == AccountView::kUnknown) {
    if (told && (op.answer == Answer::kOk || op.answer == Answer::kInsufficientFunds ||
                 op.answer == Answer::kAccountExists ||
                 (op.answer == Answer::kOverflow && op.kind != OpKind::kOpen))) {
      Learn(op.account, {AccountView::kPresent, op.balance});
    } else if (op.answer == Answer::kUnknownAccount && op.kind != OpKind::kTransfer) {
      account.view = {AccountView::kAbsent, 0};
    }
    if (op.answer == Answer::kOk && op.kind == OpKind::kTransfer) {
      Account& to = AccountAt(op.to);
      if (to.view.presence == AccountView::kPresent) to.view.balance += op.amount;
    }
    return;
  }
  if (op.answer != Answer::kOk) return;
  switch (op.kind) {
    case OpKind::kDeposit:
      account.view.balance += op.amount;
      total_ += op.amount;
      break;
    case OpKind::kWithdraw:
      account.view.balance -= op.amount;
      total_ -= op.amount;
      break;
    case OpKind::kTransfer: {
      account.view.balance -= op.amount;
      Account& to = AccountAt(op.to);
      if (to.view.presence == AccountView::kPresent) {
        to.view.balance += op.amount;
      } else {
        total_known_ = false;
      }
      break;
    }
    default:
      break;
  }
}

bool Certificate::KeyTaken(const Operation& op, const World& world) const {
  const auto attempts = attempts_.find({op.session, op.sequence});
  if (!op.has_key() || attempts == attempts_.end() || attempts->second.size() < 2) return false;
  return std::any_of(attempts->second.begin(), attempts->second.end(), [&](uint32_t i) {
    return is_placed_[i] ||
           std::find(world.placed.begin(), world.placed.end(), i) != world.placed.end();
  });
}

void Certificate::Settle() {
  World& world = worlds_[0];
  if (world.placed.empty()) return;
  for (const Change& change : world.changes) {
    Account& account = AccountAt(change.account);
    if (change.opened && account.view.presence == AccountView::kAbsent) {
      account.view = {AccountView::kPresent, 0};
    }
    account.view.balance += change.amount;
  }
  total_ += world.total;
  account_count_ += world.accounts;
  for (uint32_t i : world.placed) {
    is_placed_[i] = true;
    ++placed_;
    SetNewest(unknown_[i], true);
  }
  std::vector<Job> jobs = std::move(world.jobs);
  if (std::ssize(jobs) > kJobsMax) jobs.erase(jobs.begin(), jobs.end() - kJobsMax / 2);
  world = World{};
  world.jobs = std::move(jobs);
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

Standing Certificate::standing() const {
  Standing standing;
  standing.total_known = total_known_ && !options_.foreign_writers;
  for (const World& world : worlds_) standing.sums.push_back(total_ + world.total);
  standing.accounts = account_count_;
  standing.index_newest = last_index_;
  standing.positions = last_index_ - unheld_ + placed_;
  for (size_t i = 0; i < unknown_.size(); ++i) {
    if (is_placed_[i]) continue;
    const Operation& op = unknown_[i];
    // Behind every answer that told a balance which it changes, and behind what was over before it.
    uint64_t behind = op.account < accounts_.size() ? accounts_[op.account].observed : 0;
    if (op.kind == OpKind::kTransfer && op.to < accounts_.size()) {
      behind = std::max(behind, accounts_[op.to].observed);
    }
    uint64_t room = 0;
    int64_t return_min = kNever;
    for (auto gap = gaps_.rbegin(); gap != gaps_.rend(); ++gap) {
      return_min = std::min(return_min, gap->return_min);
      if (gap->first <= behind || return_min < op.invoke_ns) break;
      room += gap->length;
    }
    standing.unknown.push_back({op, room});
  }
  return standing;
}

}  // namespace bank::checker
