#include "branch/ledger/accounts.h"

#include <algorithm>

#include "branch/ledger/digest.h"
#include "common/planted.h"

namespace bank::ledger {
namespace {

uint64_t DigestAccount(const Account& account) {
  return DigestWords(Domain::kAccount, account.name_hash, account.balance);
}

absl::uint128 Wide(int64_t amount) { return static_cast<uint64_t>(amount); }

}  // namespace

void Accounts::Change(Account* account, int64_t delta) {
  digest_ -= DigestAccount(*account);
  account->balance += delta;
  digest_ += DigestAccount(*account);
}

void Accounts::Restore(std::string_view name, int64_t balance) {
  Account account;
  account.balance = balance;
  account.name_hash = DigestBytes(name, static_cast<uint64_t>(Domain::kName));
  accounts_.emplace(name, account);
  total_ += balance;
  digest_ += DigestAccount(account);
}

void Accounts::Open(std::string_view name, int64_t amount) {
  Restore(name, amount);
  turnover_.opened += Wide(amount);
}

void Accounts::Deposit(Account* account, int64_t amount) {
  Change(account, amount);
  total_ += amount;
  turnover_.deposited += Wide(amount);
}

void Accounts::Withdraw(Account* account, int64_t amount) {
  const uint64_t before = digest_;
  Change(account, -amount);
  if (IsPlanted(Planted::kDigestSkipsWithdrawals)) digest_ = before;
  total_ -= amount;
  turnover_.withdrawn += Wide(amount);
}

void Accounts::Transfer(Account* from, Account* to, int64_t amount) {
  Change(from, -amount);
  if (!IsPlanted(Planted::kTransferLosesCredit)) Change(to, amount);
}

Accounts::Audit Accounts::Recompute() const {
  Audit audit{0, 0};
  for (const auto& [name, account] : accounts_) {  // sums: the order does not matter
    audit.total += Wide(account.balance);
    Account fresh = account;
    fresh.name_hash = DigestBytes(name, static_cast<uint64_t>(Domain::kName));
    audit.digest += DigestAccount(fresh);
  }
  return audit;
}

std::vector<std::pair<std::string_view, int64_t>> Accounts::Sorted() const {
  std::vector<std::pair<std::string_view, int64_t>> sorted;
  sorted.reserve(accounts_.size());
  for (const auto& [name, account] : accounts_) sorted.emplace_back(name, account.balance);
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

std::vector<std::pair<std::string_view, int64_t>> Accounts::Top(size_t limit) const {
  using Row = std::pair<std::string_view, int64_t>;
  const auto before = [](const Row& a, const Row& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  };
  // A heap of the best so far, the worst of them in front: nearly every account is dismissed by one
  // comparison of balances.
  std::vector<Row> top;
  if (limit == 0) return top;
  for (const auto& [name, account] : accounts_) {
    const Row row(name, account.balance);
    if (top.size() == limit) {
      if (!before(row, top.front())) continue;
      std::pop_heap(top.begin(), top.end(), before);
      top.back() = row;
    } else {
      top.push_back(row);
    }
    std::push_heap(top.begin(), top.end(), before);
  }
  std::sort_heap(top.begin(), top.end(), before);
  return top;
}

}  // namespace bank::ledger
