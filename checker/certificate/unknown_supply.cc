#include "checker/certificate/unknown_supply.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>

namespace bank::checker {

UnknownSupply::UnknownSupply(const PlacementProblem& problem, const AccountNames& names)
    : problem_(problem), by_account_(names.size()), key_users_(1), key_gaps_(1) {
  const std::vector<Operation>& unknown = problem.unknown;
  absl::flat_hash_map<OperationKey, uint32_t> attempts;
  for (const Operation& op : unknown) {
    if (op.has_key()) ++attempts[{op.session, op.sequence}];
  }
  absl::flat_hash_map<OperationKey, uint32_t> shared;
  std::vector<uint32_t> order(unknown.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return unknown[a].invoke_ns < unknown[b].invoke_ns;
  });
  std::map<std::tuple<OpKind, uint32_t, uint32_t, int64_t, uint32_t>, uint32_t> numbers;
  for (uint32_t i : order) {
    const Operation& op = unknown[i];
    const bool is_transfer = op.kind == OpKind::kTransfer;
    if (op.amount < (op.kind == OpKind::kOpen ? 0 : 1) || names.is_bad(op.account)) continue;
    if (is_transfer && (op.account == op.to || names.is_bad(op.to))) continue;
    uint32_t key = 0;
    if (op.has_key() && attempts[{op.session, op.sequence}] > 1) {
      const auto [it, fresh] =
          shared.try_emplace({op.session, op.sequence}, static_cast<uint32_t>(key_users_.size()));
      if (fresh) {
        key_users_.emplace_back();
        key_gaps_.emplace_back();
      }
      key = it->second;
    }
    const auto [it, fresh] = numbers.try_emplace({op.kind, op.account, op.to, op.amount, key},
                                                 static_cast<uint32_t>(contents_.size()));
    if (fresh) {
      Content& content = contents_.emplace_back();
      content.op = AsDone(op);
      content.key = key;
      for (uint32_t account : {op.account, op.to}) {
        if (account == kNoAccount) continue;
        by_account_[account].push_back(it->second);
        by_change_[{account, static_cast<int64_t>(ChangeOf(op, account))}].push_back(it->second);
      }
    }
    contents_[it->second].members.push_back(i);
    contents_[it->second].invocations.push_back(op.invoke_ns);
  }
}

const std::vector<uint32_t>& UnknownSupply::Touching(uint32_t account) const {
  return account < by_account_.size() ? by_account_[account] : none_;
}

const std::vector<uint32_t>& UnknownSupply::Changing(uint32_t account, Wide change) const {
  if (change > kBalanceMax || change < -kBalanceMax) return none_;
  const auto found = by_change_.find({account, static_cast<int64_t>(change)});
  return found == by_change_.end() ? none_ : found->second;
}

void UnknownSupply::Reserve(uint32_t content, uint32_t gap, int64_t return_min) {
  Content& c = contents_[content];
  const auto invoked = std::upper_bound(c.invocations.begin(), c.invocations.end(), return_min) -
                       c.invocations.begin();
  c.reserved.push_back(gap);
  c.reserved_slack.push_back(invoked - std::ssize(c.reserved));
}

void UnknownSupply::SettleReserves() {
  for (Content& c : contents_) {
    for (size_t i = c.reserved_slack.size(); i-- > 1;) {
      c.reserved_slack[i - 1] = std::min(c.reserved_slack[i - 1], c.reserved_slack[i]);
    }
  }
}

bool UnknownSupply::IsReserved(const Content& content, uint32_t gap) {
  return std::binary_search(content.reserved.begin(), content.reserved.end(), gap);
}

bool UnknownSupply::IsLeft(uint32_t content, uint32_t gap, int64_t return_min,
                           uint32_t first_user) const {
  const Content& c = contents_[content];
  const auto count = [&](const std::vector<uint32_t>& users) {
    return users.end() - std::lower_bound(users.begin(), users.end(), first_user);
  };
  if (c.key != 0 && count(key_users_[c.key]) != 0) return false;
  const auto users = count(c.users);
  const auto before = std::lower_bound(c.reserved.begin(), c.reserved.end(), gap);
  const auto reserved_before = before - c.reserved.begin();
  const auto invoked = std::upper_bound(c.invocations.begin(), c.invocations.end(), return_min) -
                       c.invocations.begin();
  if (users + reserved_before + 1 > invoked) return false;
  if (before == c.reserved.end() || *before == gap) return true;
  return users + 1 <= c.reserved_slack[static_cast<size_t>(reserved_before)];
}

bool UnknownSupply::IsLeftElsewhere(uint32_t content, uint32_t gap, int64_t return_min,
                                    uint32_t first_user) const {
  const Content& c = contents_[content];
  if (c.key != 0 && !key_gaps_[c.key].empty()) return false;
  if (c.elsewhere.empty()) return true;
  const auto own = c.users.end() - std::lower_bound(c.users.begin(), c.users.end(), first_user);
  const auto count = [](const std::vector<uint32_t>& gaps, uint32_t until) {
    return std::upper_bound(gaps.begin(), gaps.end(), until) - gaps.begin();
  };
  const auto is_enough = [&](uint32_t at, int64_t by) {
    const auto invoked =
        std::upper_bound(c.invocations.begin(), c.invocations.end(), by) - c.invocations.begin();
    // A gap for which one is reserved is counted already.
    const auto more = IsReserved(c, gap) ? 0 : 1;
    return own + more + count(c.elsewhere, at) + count(c.reserved, at) <= invoked;
  };
  if (!is_enough(gap, return_min)) return false;
  const auto later = std::upper_bound(c.elsewhere.begin(), c.elsewhere.end(), gap);
  if (!std::all_of(later, c.elsewhere.end(),
                   [&](uint32_t at) { return is_enough(at, ReturnMin(at)); }))
    return false;
  const auto before = count(c.reserved, gap);
  if (before == std::ssize(c.reserved) || IsReserved(c, gap)) return true;
  return own + 1 + count(c.elsewhere, gap) <= c.reserved_slack[static_cast<size_t>(before)];
}

void UnknownSupply::Occupy(uint32_t content, uint32_t gap) {
  Content& c = contents_[content];
  if (c.key != 0) key_gaps_[c.key].push_back(gap);
  if (IsReserved(c, gap)) return;
  c.elsewhere.insert(std::upper_bound(c.elsewhere.begin(), c.elsewhere.end(), gap), gap);
}

void UnknownSupply::Vacate(uint32_t content, uint32_t gap) {
  Content& c = contents_[content];
  if (c.key != 0) {
    std::vector<uint32_t>& gaps = key_gaps_[c.key];
    gaps.erase(std::find(gaps.begin(), gaps.end(), gap));
  }
  if (IsReserved(c, gap)) return;
  c.elsewhere.erase(std::lower_bound(c.elsewhere.begin(), c.elsewhere.end(), gap));
}

bool UnknownSupply::IsOverdrawn(uint32_t content) const {
  const Content& c = contents_[content];
  if (c.key != 0 && key_gaps_[c.key].size() > 1) return true;
  std::vector<uint32_t> gaps = c.elsewhere;
  gaps.insert(gaps.end(), c.reserved.begin(), c.reserved.end());
  std::sort(gaps.begin(), gaps.end());
  size_t invoked = 0;
  for (size_t used = 0; used < gaps.size(); ++used) {
    const int64_t by = ReturnMin(gaps[used]);
    while (invoked < c.invocations.size() && c.invocations[invoked] <= by) ++invoked;
    if (used + 1 > invoked) return true;
  }
  return false;
}

std::vector<uint32_t> UnknownSupply::Occupants(uint32_t content) const {
  const Content& c = contents_[content];
  return c.key != 0 ? key_gaps_[c.key] : c.elsewhere;
}

const std::vector<uint32_t>& UnknownSupply::Users(uint32_t content) const {
  const Content& c = contents_[content];
  return c.key != 0 ? key_users_[c.key] : c.users;
}

void UnknownSupply::Take(uint32_t content, uint32_t gap, uint32_t user) {
  Content& c = contents_[content];
  if (c.key != 0) key_users_[c.key].push_back(user);
  if (!IsReserved(c, gap)) c.users.push_back(user);
}

void UnknownSupply::GiveBack(uint32_t content, uint32_t gap) {
  Content& c = contents_[content];
  if (c.key != 0) key_users_[c.key].pop_back();
  if (!IsReserved(c, gap)) c.users.pop_back();
}

void UnknownSupply::GiveAllBack() {
  for (Content& c : contents_) c.users.clear();
  for (std::vector<uint32_t>& users : key_users_) users.clear();
}

}  // namespace bank::checker
