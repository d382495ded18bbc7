#include "checker/search/contradiction.h"

#include <algorithm>
#include <tuple>

#include "checker/model/rules.h"

namespace bank::checker {
bool StandsBefore(const Operation& a, const Operation& b) {
  return std::tuple(a.index, a.is_read(), a.invoke_ns) <
         std::tuple(b.index, b.is_read(), b.invoke_ns);
}

std::vector<Operation> Minimize(const std::vector<Operation>& operations,
                                const std::function<bool(const std::vector<Operation>&)>& shows_it,
                                size_t pairs_of) {
  if (operations.size() <= pairs_of) {
    for (size_t i = operations.size(); i-- > 0;) {
      if (shows_it({operations[i]})) return {operations[i]};
    }
    // The last one is nearly always part of it.
    for (size_t j = operations.size(); j-- > 0;) {
      for (size_t i = j; i-- > 0;) {
        if (shows_it({operations[i], operations[j]})) return {operations[i], operations[j]};
      }
    }
  }
  std::vector<Operation> current = operations;
  size_t parts = 2;
  while (current.size() >= 2) {
    const size_t size = (current.size() + parts - 1) / parts;
    bool smaller = false;
    for (size_t start = 0; start < current.size(); start += size) {
      const size_t end = std::min(current.size(), start + size);
      std::vector<Operation> rest(current.begin(), current.begin() + static_cast<ptrdiff_t>(start));
      rest.insert(rest.end(), current.begin() + static_cast<ptrdiff_t>(end), current.end());
      if (rest.empty() || !shows_it(rest)) continue;
      current = std::move(rest);
      parts = std::max<size_t>(parts - 1, 2);
      smaller = true;
      break;
    }
    if (smaller) continue;
    if (size == 1) break;
    parts = std::min(current.size(), parts * 2);
  }
  return current;
}

Contradiction::Contradiction(const std::vector<Operation>& around, const InitialState& initial,
                             const AccountNames* names, bool from_the_start)
    : initial_(initial), names_(names), from_the_start_(from_the_start) {
  absl::flat_hash_map<uint32_t, uint64_t> effects;
  for (const Operation& op : around) {
    Rank rank;
    rank.account = effects[op.account];
    if (op.kind == OpKind::kTransfer) rank.to = effects[op.to];
    ranks_[{op.process, op.id}] = rank;
    if (!op.took_effect()) continue;
    ++effects[op.account];
    if (op.kind == OpKind::kTransfer) ++effects[op.to];
  }
}

bool Contradiction::Shows(const std::vector<Operation>& some) const {
  struct Shown {
    AccountView view;
    uint64_t effects = 0;  // the view holds after so many effects on the account
  };
  absl::flat_hash_map<uint32_t, Shown> accounts;
  if (from_the_start_) {
    for (const auto& [account, balance] : initial_.balances) {
      accounts[account] = {{AccountView::kPresent, balance}, 0};
    }
  }
  const auto view_at = [&](uint32_t account, uint64_t rank) {
    const auto it = accounts.find(account);
    return it != accounts.end() && it->second.effects == rank ? it->second.view : AccountView{};
  };
  for (const Operation& op : some) {
    const Rank rank = ranks_.at({op.process, op.id});
    BankView state;
    state.account = view_at(op.account, rank.account);
    if (op.kind == OpKind::kTransfer) state.to = view_at(op.to, rank.to);
    state.Recognize(op, *names_);
    if (!Agrees(op, state)) return true;
    Carry(op, &state);
    const uint64_t effect = op.took_effect() ? 1 : 0;
    accounts[op.account] = {state.account, rank.account + effect};
    if (op.kind == OpKind::kTransfer && op.to != op.account) {
      accounts[op.to] = {state.to, rank.to + effect};
    }
  }
  return false;
}

}  // namespace bank::checker
