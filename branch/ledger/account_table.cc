#include "branch/ledger/account_table.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "branch/ledger/digest.h"
#include "common/check.h"

namespace bank::ledger {

uint64_t DigestAccount(const Account& account) {
  return DigestWords(Domain::kAccount, account.name_hash, account.balance);
}

uint64_t HashName(std::string_view name) {
  return DigestBytes(name, static_cast<uint64_t>(Domain::kName));
}

std::string_view NamePage::Add(size_t place, std::string_view name) {
  if (name.size() > free_bytes_) {
    free_bytes_ = std::max(kBlockBytes, name.size());
    blocks_.push_back(std::make_unique<char[]>(free_bytes_));
    free_ = blocks_.back().get();
  }
  std::memcpy(free_, name.data(), name.size());
  names_[place] = std::string_view(free_, name.size());
  free_ += name.size();
  free_bytes_ -= name.size();
  return names_[place];
}

AccountTable::Added AccountTable::Add(std::string_view name, const Account& account) {
  BANK_CHECK(size_ < std::numeric_limits<AccountNumber>::max()) << "too many accounts to number";
  const size_t place = size_ % kAccountsPerPage;
  if (place == 0) {
    names_.push_back(std::make_shared<NamePage>());
    accounts_.emplace_back(epoch_, AccountPage{});
  }
  const auto number = static_cast<AccountNumber>(size_++);
  Write(number) = account;
  return {number, names_.back()->Add(place, name)};
}

FrozenAccounts AccountTable::Freeze() const {
  epoch_.End();
  FrozenAccounts frozen;
  frozen.size_ = size_;
  frozen.names_.assign(names_.begin(), names_.end());
  frozen.accounts_.reserve(accounts_.size());
  for (const Shared<AccountPage>& page : accounts_) frozen.accounts_.push_back(page.Freeze());
  return frozen;
}

FrozenAccounts::Audit FrozenAccounts::Recompute() const {
  Audit audit{0, 0};
  for (AccountNumber i = 0; i < size_; ++i) {  // sums: the order does not matter
    const Account fresh{(*this)[i].balance, HashName(name(i))};
    audit.total += static_cast<uint64_t>(fresh.balance);
    audit.digest += DigestAccount(fresh);
  }
  return audit;
}

std::vector<FrozenAccounts::Row> FrozenAccounts::Sorted() const {
  std::vector<Row> sorted;
  sorted.reserve(size_);
  for (AccountNumber i = 0; i < size_; ++i) sorted.emplace_back(name(i), (*this)[i].balance);
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

std::vector<FrozenAccounts::Row> FrozenAccounts::Top(size_t limit) const {
  const auto before = [](const Row& a, const Row& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  };
  // A heap of the best so far, the worst of them in front: nearly every account is dismissed by one
  // comparison of balances.
  std::vector<Row> top;
  if (limit == 0) return top;
  for (AccountNumber i = 0; i < size_; ++i) {
    const Row row(name(i), (*this)[i].balance);
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
