#include "checker/search/search.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "checker/model/rules.h"
#include "checker/search/group_state.h"
#include "checker/search/search_minimizer.h"

namespace bank::checker {
namespace {

constexpr std::chrono::milliseconds kMinimizeTime{3000};  // at most
constexpr int kStaleRounds = 20;

// Accounts by the group they belong to.
class Groups {
 public:
  explicit Groups(size_t accounts) : parent_(accounts) {
    std::iota(parent_.begin(), parent_.end(), 0u);
  }
  uint32_t Find(uint32_t account) {
    while (parent_[account] != account) account = parent_[account] = parent_[parent_[account]];
    return account;
  }
  void Join(uint32_t a, uint32_t b) { parent_[Find(a)] = Find(b); }

 private:
  std::vector<uint32_t> parent_;
};

// `op` as one sees it who knows `account` only. False: it says nothing about that account alone.
bool Project(uint32_t account, Operation* op) {
  if (op->kind != OpKind::kTransfer || op->account == op->to) return true;
  const bool refused = op->fate == Fate::kOk && op->answer != Answer::kOk;
  if (refused && (op->account != account || op->answer != Answer::kInsufficientFunds)) return false;
  if (op->account == account) {
    op->kind = OpKind::kWithdraw;
  } else {
    op->kind = OpKind::kDeposit;
    op->account = account;
    op->has_balance = false;
  }
  op->to = kNoAccount;
  return true;
}

// A query that need not be fresh.
bool MayBeStale(const Operation& op) {
  return op.is_read() && op.freshness != Freshness::kLinearizable;
}

// As one that may stand anywhere before it was answered. `minimum_index` is kept only if it counts.
Operation Timeless(const Operation& op) {
  Operation timeless = op;
  if (op.freshness != Freshness::kAtLeast) timeless.minimum_index = 0;
  timeless.invoke_ns = std::numeric_limits<int64_t>::min();
  timeless.freshness = Freshness::kLinearizable;
  return timeless;
}

class Searcher {
 public:
  Searcher(const std::vector<Operation>& operations, const InitialState& initial,
           const AccountNames& names, const SearchOptions& options)
      : operations_(operations), initial_(initial), names_(names), options_(options) {
    group_options_.states_max = options.states_max;
    group_options_.budget = options.searching;
    group_options_.accounts_max = static_cast<uint64_t>(initial.accounts_max);
    CountMost();
  }

  SearchResult Run() {
    result_.answer = SearchAnswer::kLinearizable;
    Groups groups(names_.size());
    std::map<uint32_t, std::set<uint32_t>> members;
    for (const Operation& op : operations_) {
      if (op.to != kNoAccount && op.fate != Fate::kFail) groups.Join(op.account, op.to);
    }
    std::map<uint32_t, std::vector<Operation>> by_account;
    std::map<uint32_t, std::vector<Operation>> by_group;
    for (const Operation& op : operations_) {
      if (!IsRequired(op) && !op.is_unknown() && !MayBeStale(op)) continue;
      for (uint32_t account : {op.account, op.to == op.account ? kNoAccount : op.to}) {
        if (account == kNoAccount) continue;
        Operation alone = op;
        if (Project(account, &alone)) by_account[account].push_back(alone);
      }
      by_group[groups.Find(op.account)].push_back(op);
      members[groups.Find(op.account)].insert(op.account);
      if (op.to != kNoAccount) members[groups.Find(op.account)].insert(op.to);
    }
    for (const auto& [account, alone] : by_account) {
      if (!Judge(alone, false)) return Violation(alone);
      if (members[groups.Find(account)].size() == 1) CountTaken();
    }
    for (const auto& [root, group] : by_group) {
      if (members[root].size() == 1) continue;
      if (!Judge(group, false)) return Violation(group);
      CountTaken();
    }
    const bool needs_all = options_.positions || is_tight_;
    if (!needs_all || result_.answer != SearchAnswer::kLinearizable) return result_;
    result_.taken = 0;
    std::vector<Operation> all;
    for (auto& [root, group] : by_group) all.insert(all.end(), group.begin(), group.end());
    if (is_tight_ || options_.end != nullptr) {
      group_options_.whole = true;
      group_options_.money = money_;
      group_options_.accounts = accounts_;
      group_options_.end = options_.end;
    }
    if (!Judge(all, options_.positions)) return Violation(all);
    CountTaken();
    if (!options_.positions) return result_;
    if (result_.answer != SearchAnswer::kLinearizable || HasRoom()) return result_;
    // Unknown operations stand right before the answers that need them: they may have to be
    // earlier.
    group_options_.everywhere = true;
    if (!Judge(all, true)) return Violation(all);
    result_.taken = 0;
    CountTaken();
    if (result_.answer == SearchAnswer::kUnknown || !HasRoom()) {
      result_.answer = SearchAnswer::kUnknown;
      result_.lacks_room = true;
    }
    return result_;
  }

 private:
  // What all accounts come to together at first, and at most.
  void CountMost() {
    Wide money = 0;
    std::vector<bool> is_named(names_.size(), false);
    for (const auto& [account, balance] : initial_.balances) {
      money += balance;
      is_named[account] = true;
    }
    // Accounts that the header does not name may have been there, with any balance.
    Wide strangers = 0;
    for (uint32_t account = 0; account < names_.size(); ++account) {
      strangers += is_named[account] || names_.is_bad(account) ? 0 : 1;
    }
    const bool has_others = !initial_.given || options_.has_others;
    const auto count = static_cast<Wide>(initial_.balances.size());
    money_.parts = {money, has_others ? kUnbounded : money + strangers * kBalanceMax};
    accounts_.parts = {count, has_others ? kUnbounded : count + strangers};

    Wide added = 0;
    Wide opened = 0;
    std::vector<int64_t> told(names_.size(), 0);  // the most that is ever known of strangers
    for (const Operation& op : operations_) {
      if (op.kind == OpKind::kOpen || op.kind == OpKind::kDeposit) {
        added += std::max<int64_t>(op.amount, 0);
      }
      opened += op.kind == OpKind::kOpen ? 1 : 0;
      is_tight_ = is_tight_ || (op.fate == Fate::kOk && (op.answer == Answer::kTooManyAccounts ||
                                                         op.answer == Answer::kOverflow));
      if (is_named[op.account]) continue;
      int64_t& most = told[op.account];
      if (op.has_balance) most = std::max(most, op.balance);
      if (op.kind != OpKind::kOpen) most = std::max(most, op.amount);
    }
    const Wide known = std::accumulate(told.begin(), told.end(), money + added);
    is_tight_ = is_tight_ || known > kBalanceMax ||
                count + strangers + opened > Wide{group_options_.accounts_max};
    if (has_others) return;
    group_options_.accounts.whole.high = count + strangers + opened;
    if (strangers == 0) {
      group_options_.money.whole.high = std::min(money + added, kBalanceMax);
    }
  }

  // False: no order explains it. `order_` is what was found else.
  bool Judge(const std::vector<Operation>& group, bool dense) {
    group_options_.positions = options_.positions;
    group_options_.dense = dense;
    added_.clear();
    std::vector<Operation> now = Fresh(group);
    // Stale answers seldom tell the orders apart: they are checked against the one found, and
    // searched for only if they do not fit it.
    for (int round = 0; round < kStaleRounds; ++round) {
      const GroupAnswer found = SearchGroup(now, initial_, names_, group_options_, &order_);
      result_.states += found.states;
      searched_ = now;
      if (found.answer == SearchAnswer::kViolation) return false;
      if (found.answer == SearchAnswer::kUnknown) break;
      if (!AddStaleMisfits(group, &now)) return true;
    }
    result_.answer = SearchAnswer::kUnknown;
    return true;
  }

  // What the unknown operations of `order_` add to all balances.
  void CountTaken() {
    for (const Operation& op : order_) {
      if (op.is_unknown() && op.kind != OpKind::kTransfer)
        result_.taken += ChangeOf(op, op.account);
    }
  }

  // Whether it is searched for from the beginning: the position tells where it stands.
  bool HasPlace(const Operation& op) const {
    return options_.positions &&
           (op.has_index || (op.freshness == Freshness::kAtLeast && op.minimum_index != 0));
  }

  std::vector<Operation> Fresh(const std::vector<Operation>& group) const {
    std::vector<Operation> fresh;
    for (const Operation& op : group) {
      if (!MayBeStale(op)) {
        fresh.push_back(op);
        fresh.back().minimum_index = 0;
      } else if (HasPlace(op)) {
        fresh.push_back(Timeless(op));
      }
    }
    return fresh;
  }

  // Adds the stale answers that no state of `order_` explains. False if there are none.
  bool AddStaleMisfits(const std::vector<Operation>& group, std::vector<Operation>* now) {
    std::vector<Operation> stale;
    for (const Operation& op : group) {
      if (!MayBeStale(op) || HasPlace(op) || added_.contains({op.process, op.id})) continue;
      stale.push_back(op);
    }
    if (stale.empty()) return false;
    // What each account held, by when that can have been reached first.
    std::map<uint32_t, std::vector<std::pair<int64_t, AccountView>>> views;
    GroupState state;
    for (const auto& [account, balance] : initial_.balances) {
      state.Begin(account, {AccountView::kPresent, balance});
    }
    const auto note = [&](uint32_t account, int64_t since) {
      if (account != kNoAccount) views[account].emplace_back(since, state.ViewOf(account));
    };
    for (const Operation& op : stale) {
      if (!views.contains(op.account)) note(op.account, std::numeric_limits<int64_t>::min());
    }
    int64_t newest = std::numeric_limits<int64_t>::min();
    for (const Operation& op : order_) {
      newest = std::max(newest, op.invoke_ns);
      BankView then;
      then.account = state.ViewOf(op.account);
      if (op.to != kNoAccount) then.to = state.ViewOf(op.to);
      then.Recognize(op, names_);
      Carry(IsRequired(op) ? op : AsDone(op), &then);
      state.Carry(op, then, false);
      note(op.account, newest);
      note(op.to, newest);
    }
    bool added = false;
    for (const Operation& op : stale) {
      const std::vector<std::pair<int64_t, AccountView>>& held = views.at(op.account);
      const bool fits = std::any_of(held.begin(), held.end(), [&](const auto& entry) {
        BankView then;
        then.account = entry.second;
        then.Recognize(op, names_);
        return entry.first <= op.return_ns && then.account.presence != AccountView::kUnknown &&
               Agrees(op, then);
      });
      if (fits) continue;
      added_.insert({op.process, op.id});
      now->push_back(Timeless(op));
      added = true;
    }
    return added;
  }

  // The position behind which the unknown operation at `at` of `order_` may stand: nothing that it
  // is moved past has to do with it, or was over before it began.
  uint64_t EarliestPlace(size_t at) const {
    const Operation& op = order_[at];
    const auto meets = [&](uint32_t account) {
      return account != kNoAccount && (account == op.account || account == op.to);
    };
    for (; at > 0; --at) {
      const Operation& before = order_[at - 1];
      if (meets(before.account) || meets(before.to) || before.return_ns < op.invoke_ns) break;
    }
    uint64_t place = 0;
    for (size_t k = 0; k < at; ++k) {
      if (order_[k].has_index) place = std::max(place, order_[k].index);
    }
    return place;
  }

  // Whether what names no position finds one in `order_` that nobody else holds.
  bool HasRoom() const {
    std::set<uint64_t> held;
    for (const Operation& op : operations_) {
      if (op.is_positioned() && op.has_index) held.insert(op.index);
    }
    // Places are wanted behind `low` (by the order, and by time) and before `high`.
    std::vector<std::pair<uint64_t, uint64_t>> wanted;
    uint64_t low = 0;
    std::vector<size_t> waiting;
    for (size_t k = 0; k < order_.size(); ++k) {
      const Operation& op = order_[k];
      if (op.is_read() && !op.has_index) low = std::max(low, op.minimum_index);
      if (op.has_index && (op.is_positioned() || op.is_read())) {
        const uint64_t high = op.index + (op.is_read() ? 1 : 0);
        for (size_t i : waiting) wanted[i].second = high;
        waiting.clear();
        low = std::max(low, op.index);
      } else if (op.is_write()) {
        waiting.push_back(wanted.size());
        wanted.emplace_back(op.is_unknown() ? EarliestPlace(k) : low,
                            std::numeric_limits<uint64_t>::max());
      }
    }
    std::sort(wanted.begin(), wanted.end(),
              [](const auto& a, const auto& b) { return a.second < b.second; });
    std::set<uint64_t> taken;
    for (const auto& [behind, before] : wanted) {
      uint64_t place = behind + 1;
      while (held.contains(place) || taken.contains(place)) ++place;
      if (place >= before) return false;
      taken.insert(place);
    }
    return true;
  }

  SearchResult Violation(const std::vector<Operation>& group) {
    result_.answer = SearchAnswer::kViolation;
    result_.is_of_end = group_options_.end != nullptr;
    if (result_.is_of_end) return std::move(result_);
    GroupSearch::Options options = group_options_;
    options.budget = options_.minimizing.AtMost(kMinimizeTime);
    std::map<std::pair<uint64_t, uint64_t>, const Operation*> originals;
    for (const Operation& op : operations_) originals[{op.process, op.id}] = &op;
    for (const Operation& op : MinimizeGroup(searched_, initial_, names_, options)) {
      result_.culprits.push_back(*originals.at({op.process, op.id}));
    }
    if (result_.culprits.empty()) result_.culprits = group;
    return std::move(result_);
  }

  const std::vector<Operation>& operations_;
  const InitialState& initial_;
  const AccountNames& names_;
  const SearchOptions& options_;
  GroupSearch::Options group_options_;
  Sum money_ = kAnyMoney;  // at first
  Sum accounts_;           // likewise
  bool is_tight_ = false;  // the bank as a whole may have come to its limits
  std::vector<Operation> searched_;
  std::vector<Operation> order_;
  std::set<std::pair<uint64_t, uint64_t>> added_;
  SearchResult result_;
};

}  // namespace

SearchResult Search(const std::vector<Operation>& operations, const InitialState& initial,
                    const AccountNames& names, const SearchOptions& options) {
  return Searcher(operations, initial, names, options).Run();
}

}  // namespace bank::checker
