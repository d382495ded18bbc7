// Standing: what the operations of a history leave behind, to be compared with what branches say.
#pragma once

#include <cstdint>
#include <vector>

#include "checker/operation.h"
#include "checker/rules.h"

namespace bank::checker {

struct Standing {
  bool total_known = false;  // the history knows all accounts and what was in them
  // The possible sums of all balances, without what `unknown` may have done.
  std::vector<Wide> sums;
  uint64_t accounts = 0;
  uint64_t index_newest = 0;  // the newest position that was answered
  uint64_t positions = 0;     // so many positions were taken for certain
  struct Unknown {
    Operation operation;
    uint64_t room = UINT64_MAX;  // positions up to index_newest that it can have taken
  };
  std::vector<Unknown> unknown;
};

}  // namespace bank::checker
