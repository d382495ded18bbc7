#include "checker/search/quiet_sums.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "checker/model/rules.h"
#include "checker/search/group_search.h"

namespace bank::checker {
namespace {

constexpr size_t kQuietSumsMax = 1 << 12;

// Something that moves a balance, for certain or perhaps.
struct Change {
  Wide amount = 0;
  int64_t invoke_ns = 0;
  int64_t return_ns = kNever;
  bool is_certain = false;
};

// An answer that tells the balance.
struct Told {
  Wide before = 0;
  Wide after = 0;
  int64_t invoke_ns = 0;
  int64_t return_ns = 0;
  bool is_opening = false;  // there was nothing before
  size_t own = SIZE_MAX;    // its own change
};

struct Account {
  std::optional<Wide> initial;
  std::vector<Change> changes;  // without those of openings
  std::vector<Told> told;
};

bool TellsBalance(const Operation& op) {
  if (op.answer == Answer::kOk && op.kind == OpKind::kOpen) return true;
  if (!op.has_balance) return false;
  // Absent accounts, and those that nobody looked at, are told to hold nothing.
  return op.answer == Answer::kOk || op.answer == Answer::kInsufficientFunds ||
         op.answer == Answer::kAccountExists;
}

// Whether `wanted` is the sum of some of these.
class Sums {
 public:
  void Add(Wide amount) {
    (amount > 0 ? most_ : least_) += amount;
    if (!is_exact_) return;
    std::set<Wide> more;
    for (Wide sum : sums_) more.insert(sum + amount);
    sums_.merge(more);
    is_exact_ = sums_.size() <= kQuietSumsMax;
  }
  bool MayBe(Wide wanted) const {
    return is_exact_ ? sums_.contains(wanted) : wanted >= least_ && wanted <= most_;
  }

 private:
  std::set<Wide> sums_ = {0};
  bool is_exact_ = true;
  Wide least_ = 0;
  Wide most_ = 0;
};

// From `since` (null: the beginning, with `balance`) to `told`.
bool Contradicts(const std::vector<Change>& changes, const Told* since, Wide balance,
                 const Told& told) {
  Wide certain = since == nullptr ? balance : since->after;
  Sums perhaps;
  for (size_t i = 0; i < changes.size(); ++i) {
    const Change& change = changes[i];
    if (i == told.own || change.invoke_ns > told.return_ns) continue;
    if (since != nullptr && change.return_ns < since->invoke_ns) continue;
    const bool is_behind = since == nullptr || change.invoke_ns > since->return_ns;
    if (change.is_certain && is_behind && change.return_ns < told.invoke_ns) {
      certain += change.amount;
    } else {
      perhaps.Add(change.amount);
    }
  }
  return !perhaps.MayBe(told.before - certain);
}

// The same from the beginning on for all that was told, without looking at the parts of a sum.
bool ContradictsFromTheBeginning(const Account& account) {
  // Sums of all that began by a moment, and of what was certainly over before it.
  std::vector<std::pair<int64_t, Wide>> ups;
  std::vector<std::pair<int64_t, Wide>> downs;
  std::vector<std::pair<int64_t, Wide>> over_ups;
  std::vector<std::pair<int64_t, Wide>> over_downs;
  for (const Change& change : account.changes) {
    (change.amount > 0 ? ups : downs).emplace_back(change.invoke_ns, change.amount);
    if (!change.is_certain) continue;
    (change.amount > 0 ? over_ups : over_downs).emplace_back(change.return_ns, change.amount);
  }
  for (auto* sums : {&ups, &downs, &over_ups, &over_downs}) {
    std::sort(sums->begin(), sums->end());
    Wide sum = 0;
    for (auto& [ns, amount] : *sums) amount = sum += amount;
  }
  const auto by = [](const std::vector<std::pair<int64_t, Wide>>& sums, int64_t ns,
                     bool inclusive) {
    const auto end = std::partition_point(sums.begin(), sums.end(), [&](const auto& sum) {
      return sum.first < ns || (inclusive && sum.first == ns);
    });
    return end == sums.begin() ? Wide{0} : std::prev(end)->second;
  };
  return std::any_of(account.told.begin(), account.told.end(), [&](const Told& told) {
    if (told.is_opening) return false;
    const Wide own = told.after - told.before;
    const Wide most = by(ups, told.return_ns, true) + by(over_downs, told.invoke_ns, false) -
                      std::max<Wide>(own, 0);
    const Wide least = by(downs, told.return_ns, true) + by(over_ups, told.invoke_ns, false) -
                       std::min<Wide>(own, 0);
    const Wide moved = told.before - *account.initial;
    return moved > most || moved < least;
  });
}

bool Contradicts(const Account& account) {
  const size_t told_count = account.told.size();
  if (told_count * std::max(told_count, account.changes.size()) > kQuietSumsMax * kQuietSumsMax) {
    return account.initial && ContradictsFromTheBeginning(account);
  }
  for (const Told& told : account.told) {
    if (told.is_opening) continue;
    if (account.initial && Contradicts(account.changes, nullptr, *account.initial, told)) {
      return true;
    }
    // The last one that was over before.
    const Told* since = nullptr;
    for (const Told& other : account.told) {
      if (other.return_ns < told.invoke_ns &&
          (since == nullptr || other.return_ns > since->return_ns)) {
        since = &other;
      }
    }
    if (since != nullptr && Contradicts(account.changes, since, 0, told)) return true;
  }
  return false;
}

}  // namespace

bool SumsContradict(const std::vector<Operation>& operations, const InitialState& initial) {
  std::map<uint32_t, Account> accounts;
  for (const auto& [account, balance] : initial.balances) accounts[account].initial = balance;
  for (const Operation& op : operations) {
    const bool is_required = IsRequired(op);
    if (!is_required && !op.is_unknown()) continue;
    const bool happened = is_required && op.took_effect();
    size_t own_change = SIZE_MAX;
    for (uint32_t account : {op.account, op.to}) {
      if (account == kNoAccount || op.kind == OpKind::kOpen || happened != is_required) continue;
      const Wide amount = ChangeOf(op, account);
      if (amount == 0) continue;
      if (account == op.account) own_change = accounts[account].changes.size();
      accounts[account].changes.push_back(
          {amount, op.invoke_ns, is_required ? op.return_ns : kNever, is_required});
    }
    if (!is_required || !TellsBalance(op)) continue;
    Told told;
    told.is_opening = happened && op.kind == OpKind::kOpen;
    told.after = told.is_opening ? op.amount : op.balance;
    told.before = told.after - (happened ? ChangeOf(op, op.account) : Wide{0});
    told.invoke_ns = op.invoke_ns;
    told.return_ns = op.return_ns;
    told.own = own_change;
    accounts[op.account].told.push_back(told);
  }
  return std::any_of(accounts.begin(), accounts.end(),
                     [](const auto& account) { return Contradicts(account.second); });
}

}  // namespace bank::checker
