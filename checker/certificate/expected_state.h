// ExpectedState: what the operations of a history leave behind, to be compared with what branches
// say.
#pragma once

#include <cstdint>
#include <functional>

#include "checker/model/rules.h"

namespace bank::checker {

struct ExpectedState {
  bool total_known = false;  // the history knows all accounts and what was in them
  Wide total = 0;            // of all balances, without what nobody knows to have happened
  // So many accounts there are for certain; others that operations name may be there, too.
  uint64_t accounts = 0;
  bool has_strangers = false;
  uint64_t index_newest = 0;  // the newest position that was answered
  uint64_t positions = 0;     // so many positions were taken for certain
  // Whether the operations of unknown outcome can have led to another total, in an order that
  // explains all answers and ends at `last_index`. Null: there are none.
  enum class May : uint8_t { kYes, kNo, kUnknown };
  std::function<May(Wide total, uint64_t last_index)> may_total;
};

}  // namespace bank::checker
