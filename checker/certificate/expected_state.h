// ExpectedState: what the operations of a history leave behind, to be compared with what branches
// say.
#pragma once

#include <cstdint>
#include <functional>

#include "checker/model/end_state.h"

namespace bank::checker {

struct ExpectedState {
  EndState end;               // without what nobody knows to have happened
  uint64_t index_newest = 0;  // the newest position that was answered
  uint64_t positions = 0;     // so many positions were taken for certain
  // Whether the operations of unknown outcome can have led to what a branch says, in an order that
  // explains all answers. Null: there are none.
  enum class May : uint8_t { kYes, kNo, kUnknown };
  std::function<May(const Digest& digest)> may_end;
};

}  // namespace bank::checker
