// What a judge found wrong, and the operations that show it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "checker/model/bank_state.h"
#include "checker/model/operation.h"

namespace bank::checker {

enum class ViolationKind : uint8_t {
  kBalance,         // an answer does not follow from the operations before it
  kDuplicateIndex,  // two operations at one position
  kRealTime,        // the bank's order contradicts what was over before what began
  kKey,             // one key, two fates
  kSearch,          // no order of the operations explains their answers
  kDigest,          // branches differ
  kTotal,           // the bank's money is not what the operations add up to
};
std::string_view ViolationKindName(ViolationKind kind);

struct Violation {
  ViolationKind kind = ViolationKind::kBalance;
  std::string why;                    // one sentence
  std::vector<std::string> hints;     // what may lie behind it
  std::vector<Operation> operations;  // the smallest set that shows it, in the bank's order
  // What it rests on besides: what accounts held at first (if has_initial), and digests.
  bool has_initial = false;
  InitialState initial;
  std::vector<Digest> digests;
  // Where the search for that set begins and ends (kBalance): positions, both inclusive.
  uint64_t first_index = 0;
  uint64_t last_index = 0;
  int64_t missing = 0;  // kBalance: reported minus expected balance, if has_missing
  bool has_missing = false;
};

}  // namespace bank::checker
