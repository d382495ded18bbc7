// What a history says of the bank's state: before all operations, and after them. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bank::checker {

// What the header says: the accounts that existed before every operation.
struct InitialState {
  bool given = false;
  std::vector<std::pair<uint32_t, int64_t>> balances;  // account, balance; by account
  int64_t accounts_max = 10'000'000;                   // the bank's limit
};

// What a branch said about its state at the end.
struct Digest {
  uint64_t branch = 0;
  uint64_t log_index = 0;
  std::optional<uint64_t> applied_index;  // entries of the log that it had applied
  std::string state;
  std::string history;
  int64_t accounts = -1;  // < 0: not given
  int64_t balance_total = 0;
  bool has_balance_total = false;
  std::string where;  // file:line
};

}  // namespace bank::checker
