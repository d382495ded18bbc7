#include "tests/verdicts/ledger.h"

#include <algorithm>

namespace bank::verdicts {
namespace {

bool IsBadName(const std::string& name) { return name.empty() || name.size() > 128; }

}  // namespace

Ledger::Ledger(const Story& story, const std::vector<std::string>& named) {
  accounts_max_ = story.accounts_max.value_or(10'000'000);
  for (const std::string& name : named) {
    if (IsBadName(name)) accounts_[name].presence = Account::kAbsent;
    accounts_[name];
  }
  if (!story.initial) return;
  for (const auto& [name, balance] : *story.initial) {
    accounts_[name] = {Account::kPresent, balance, balance, 0};
  }
  // Unless a branch counts more.
  is_complete_ =
      std::none_of(story.digests.begin(), story.digests.end(), [&](const DigestLine& digest) {
        return digest.accounts.value_or(0) > std::ssize(accounts_);
      });
}

bool Ledger::Holds(const std::string& name, Big low, Big high) {
  Account& account = accounts_.at(name);
  account.low = std::max(account.low, low - account.change);
  account.high = std::min(account.high, high - account.change);
  return account.low <= account.high;
}

bool Ledger::TotalAtMost(Big most) {
  total_high_ = std::min(total_high_, most - changes_);
  return IsPossible();
}

bool Ledger::TotalAtLeast(Big least) {
  total_low_ = std::max(total_low_, least - changes_);
  return IsPossible();
}

bool Ledger::CountAtMost(Big most) {
  count_high_ = std::min(count_high_, most - opened_);
  return IsPossible();
}

bool Ledger::CountAtLeast(Big least) {
  count_low_ = std::max(count_low_, least - opened_);
  return IsPossible();
}

// Whether some balances at first are within all bounds: sums of numbers from intervals take every
// value from the smallest to the largest. Likewise the number of accounts.
bool Ledger::IsPossible() const {
  Big low = 0;
  Big high = is_complete_ ? Big{0} : kMost;
  for (const auto& [name, account] : accounts_) {
    if (account.presence == Account::kPresent) low += account.low;
    if (account.presence != Account::kAbsent) high += account.high;
  }
  if (std::max(low, total_low_) > std::min(high, total_high_)) return false;
  const Big count = Present() - opened_;
  const Big most = is_complete_ ? count + Undecided() : kMost;
  return std::max(count, count_low_) <= std::min(most, count_high_);
}

Big Ledger::Present() const {
  return std::count_if(accounts_.begin(), accounts_.end(), [](const auto& account) {
    return account.second.presence == Account::kPresent;
  });
}

Big Ledger::Undecided() const {
  return std::count_if(accounts_.begin(), accounts_.end(), [](const auto& account) {
    return account.second.presence == Account::kOpen;
  });
}

std::optional<Ledger> Ledger::With(const std::string& name, Account::Presence presence) const {
  Ledger other = *this;
  Account& account = other.accounts_.at(name);
  if (account.presence == presence) return other;
  if (account.presence != Account::kOpen) return std::nullopt;
  account.presence = presence;
  if (!other.IsPossible()) return std::nullopt;
  return other;
}

std::vector<Ledger> Ledger::Answer(const Demand& demand) const {
  std::vector<Ledger> ways;
  for (const auto own : {Account::kAbsent, Account::kPresent}) {
    const auto one = With(demand.account, own);
    if (!one) continue;
    if (demand.op != "transfer") {
      for (Ledger& way : one->Decided(demand)) ways.push_back(std::move(way));
      continue;
    }
    for (const auto others : {Account::kAbsent, Account::kPresent}) {
      const auto both = one->With(demand.to, others);
      if (!both) continue;
      for (Ledger& way : both->Decided(demand)) ways.push_back(std::move(way));
    }
  }
  return ways;
}

std::vector<Ledger> Ledger::Decided(const Demand& demand) const {
  if (demand.answer != "ok") return Refuse(demand);
  Ledger after = *this;
  if (!after.CarryOut(demand)) return {};
  if (demand.balance && !after.Holds(demand.account, *demand.balance, *demand.balance)) return {};
  if (!after.IsPossible()) return {};
  return {after};
}

bool Ledger::CarryOut(const Demand& d) {
  const bool is_bad =
      IsBadName(d.account) || (d.op == "transfer" && (IsBadName(d.to) || d.to == d.account));
  Account& account = accounts_.at(d.account);
  const bool is_there = account.presence == Account::kPresent;
  if (is_bad) return false;
  if (d.op == "query") return is_there;
  if (d.op == "open") {
    if (is_there || d.amount < 0 || !CountAtMost(accounts_max_ - 1)) return false;
    account = {Account::kPresent, 0, 0, d.amount};
    ++opened_;
    if (!TotalAtMost(kMost - d.amount)) return false;
    changes_ += d.amount;
    return true;
  }
  if (d.amount <= 0 || !is_there) return false;
  if (d.op == "deposit") {
    if (!TotalAtMost(kMost - d.amount) || !Holds(d.account, 0, kMost - d.amount)) return false;
    account.change += d.amount;
    changes_ += d.amount;
    return true;
  }
  if (!Holds(d.account, d.amount, kMost)) return false;
  if (d.op == "transfer") {
    Account& to = accounts_.at(d.to);
    if (to.presence != Account::kPresent || !Holds(d.to, 0, kMost - d.amount)) return false;
    to.change += d.amount;
  } else {
    changes_ -= d.amount;
  }
  account.change -= d.amount;
  return true;
}

std::vector<Ledger> Ledger::Refuse(const Demand& d) const {
  const Account& account = accounts_.at(d.account);
  const bool is_transfer = d.op == "transfer";
  const bool is_there = account.presence == Account::kPresent;
  Ledger after = *this;
  bool holds = false;
  if (d.answer == "bad_account") {
    holds = IsBadName(d.account) || (is_transfer && (IsBadName(d.to) || d.to == d.account));
  } else if (d.answer == "bad_amount") {
    holds = d.op == "open" ? d.amount < 0 : d.op != "query" && d.amount <= 0;
  } else if (d.answer == "unknown_account") {
    holds = d.op != "open" &&
            (!is_there || (is_transfer && accounts_.at(d.to).presence != Account::kPresent));
  } else if (d.answer == "account_exists") {
    holds = d.op == "open" && is_there;
  } else if (d.answer == "insufficient_funds") {
    holds = (d.op == "withdraw" || is_transfer) && is_there &&
            after.Holds(d.account, 0, Big{d.amount} - 1);
  } else if (d.answer == "too_many_accounts") {
    holds = d.op == "open" && after.CountAtLeast(accounts_max_);
  } else if (d.answer == "overflow" && (d.op == "open" || d.op == "deposit")) {
    holds = after.TotalAtLeast(kMost - d.amount + 1);
  } else if (d.answer == "overflow" && is_transfer) {
    holds = accounts_.at(d.to).presence == Account::kPresent &&
            after.Holds(d.to, kMost - d.amount + 1, kMost);
  }
  if (!holds || !after.IsPossible()) return {};
  if (!d.balance) return {after};
  std::vector<Ledger> ways;
  // What is malformed is refused without a look at the account.
  const bool is_malformed =
      d.answer == "bad_account" || d.answer == "bad_amount" || d.answer == "unknown_account";
  if (*d.balance == 0 && (is_malformed || !is_there)) ways.push_back(after);
  if (is_there && after.Holds(d.account, *d.balance, *d.balance) && after.IsPossible()) {
    ways.push_back(after);
  }
  return ways;
}

bool Ledger::FitsDigest(const DigestLine& digest) const {
  if (digest.accounts && *digest.accounts < Present()) return false;
  if (!digest.total) return true;
  Big low = 0;
  Big high = 0;
  for (const auto& [name, account] : accounts_) {
    if (account.presence == Account::kPresent) {
      low += account.least();
      high += account.most();
    } else if (account.presence == Account::kOpen && digest.accounts.value_or(-1) != Present()) {
      high += kMost;
    }
  }
  // What others hold nobody knows.
  if (digest.accounts ? *digest.accounts > Present() + Undecided() : !is_complete_) high += kMost;
  return *digest.total >= std::max(low, total_low_ + changes_) &&
         *digest.total <= std::min(high, total_high_ + changes_);
}

}  // namespace bank::verdicts
