// AccountTable: names and balances by number, in pages that frozen copies share.
//
// Accounts are only ever added, and names never change: a page of names is shared as it is, and its
// reader looks at no more names than there were when it was frozen. Pages of balances are copied
// on write (shared.h).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/numeric/int128.h"
#include "branch/ledger/shared.h"

namespace bank::ledger {

struct Account {
  int64_t balance = 0;     // minor units, >= 0
  uint64_t name_hash = 0;  // what the digest needs of the name
};

uint64_t DigestAccount(const Account& account);
uint64_t HashName(std::string_view name);

// Numbers are from 0, in the order of opening.
using AccountNumber = uint32_t;

inline constexpr size_t kAccountsPerPage = 256;
using AccountPage = std::array<Account, kAccountsPerPage>;

class NamePage {
 public:
  // At `place`, which is the next one. The copy stays where it is for as long as the page.
  std::string_view Add(size_t place, std::string_view name);
  std::string_view operator[](size_t place) const { return names_[place]; }

 private:
  static constexpr size_t kBlockBytes = 4096;

  std::array<std::string_view, kAccountsPerPage> names_;
  std::vector<std::unique_ptr<char[]>> blocks_;  // of the owner alone, as is the rest
  char* free_ = nullptr;
  size_t free_bytes_ = 0;
};

// What a frozen ledger knows of the accounts; also a look at those of a ledger while nobody writes.
class FrozenAccounts {
 public:
  uint64_t size() const { return size_; }
  std::string_view name(AccountNumber i) const {
    return (*names_[i / kAccountsPerPage])[i % kAccountsPerPage];
  }
  const Account& operator[](AccountNumber i) const {
    return (*accounts_[i / kAccountsPerPage])[i % kAccountsPerPage];
  }

  struct Audit {
    absl::uint128 total;
    uint64_t digest;
  };
  Audit Recompute() const;  // from names and balances alone

  using Row = std::pair<std::string_view, int64_t>;
  std::vector<Row> Sorted() const;  // by name, bytewise
  // The highest balances, highest first, equal ones by name.
  std::vector<Row> Top(size_t limit) const;

 private:
  friend class AccountTable;

  uint64_t size_ = 0;
  std::vector<std::shared_ptr<const NamePage>> names_;
  std::vector<std::shared_ptr<const AccountPage>> accounts_;
};

class AccountTable {
 public:
  struct Added {
    AccountNumber number;
    std::string_view name;  // valid as long as the table
  };
  Added Add(std::string_view name, const Account& account);

  uint64_t size() const { return size_; }
  const Account& operator[](AccountNumber i) const {
    return (*accounts_[i / kAccountsPerPage])[i % kAccountsPerPage];
  }
  Account& Write(AccountNumber i) {
    return accounts_[i / kAccountsPerPage].Write(epoch_)[i % kAccountsPerPage];
  }

  // Costs two pointers per page.
  FrozenAccounts Freeze() const;

 private:
  uint64_t size_ = 0;
  std::vector<std::shared_ptr<NamePage>> names_;  // shared with frozen copies
  std::vector<Shared<AccountPage>> accounts_;
  Epoch epoch_;
};

}  // namespace bank::ledger
