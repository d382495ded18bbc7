#include "branch/ledger/accounts.h"

#include "common/planted.h"

namespace bank::ledger {
namespace {

absl::uint128 Wide(int64_t amount) { return static_cast<uint64_t>(amount); }

}  // namespace

void Accounts::Change(AccountNumber number, int64_t delta) {
  Account& account = table_.Write(number);
  digest_ -= DigestAccount(account);
  account.balance += delta;
  digest_ += DigestAccount(account);
}

void Accounts::Restore(std::string_view name, int64_t balance) {
  const Account account{balance, HashName(name)};
  const AccountTable::Added added = table_.Add(name, account);
  numbers_.emplace(added.name, added.number);
  total_ += balance;
  digest_ += DigestAccount(account);
}

void Accounts::Open(std::string_view name, int64_t amount) {
  Restore(name, amount);
  turnover_.opened += Wide(amount);
}

void Accounts::Deposit(AccountNumber account, int64_t amount) {
  Change(account, amount);
  total_ += amount;
  turnover_.deposited += Wide(amount);
}

void Accounts::Withdraw(AccountNumber account, int64_t amount) {
  const uint64_t before = digest_;
  Change(account, -amount);
  if (IsPlanted(Planted::kDigestSkipsWithdrawals)) digest_ = before;
  total_ -= amount;
  turnover_.withdrawn += Wide(amount);
}

void Accounts::Transfer(AccountNumber from, AccountNumber to, int64_t amount) {
  Change(from, -amount);
  if (!IsPlanted(Planted::kTransferLosesCredit)) Change(to, amount);
}

}  // namespace bank::ledger
