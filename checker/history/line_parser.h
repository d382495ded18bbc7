// One line of a history: a flat JSON object (docs/HISTORY.md) turned into fields.
//
// The parser knows the keys of the format and reads lines as our recorder writes them without
// building anything; whatever is unusual (escapes, nesting, numbers with a point) goes through a
// general JSON parser. Keys it does not know are skipped. Thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "checker/model/operation.h"

namespace bank::checker {

enum class LineType : uint8_t { kNone, kHeader, kInvoke, kOk, kFail, kInfo, kDigest };

struct Line {
  enum Field : uint32_t {
    kType = 1 << 0,
    kProcess = 1 << 1,
    kId = 1 << 2,
    kSession = 1 << 3,
    kSequence = 1 << 4,
    kOp = 1 << 5,
    kAccount = 1 << 6,
    kTo = 1 << 7,
    kAmount = 1 << 8,
    kBranch = 1 << 9,
    kNs = 1 << 10,
    kResult = 1 << 11,
    kBalance = 1 << 12,
    kIndex = 1 << 13,
    kReplayed = 1 << 14,
    kConsistency = 1 << 15,
    kMinimumIndex = 1 << 16,
  };

  uint32_t present = 0;  // which of the fields below the line had
  LineType type = LineType::kNone;
  OpKind op = OpKind::kQuery;
  Answer result = Answer::kOk;
  Freshness consistency = Freshness::kLinearizable;
  bool replayed = false;
  uint64_t process = 0;
  uint64_t id = 0;
  uint64_t session = 0;
  uint64_t sequence = 0;
  uint64_t index = 0;
  uint64_t minimum_index = 0;
  uint64_t branch = 0;
  int64_t amount = 0;
  int64_t balance = 0;
  int64_t ns = 0;
  std::string_view account;  // into the line, or into `storage`
  std::string_view to;
  std::string storage;

  bool has(Field field) const { return (present & field) != 0; }
};

// InvalidArgument with what is wrong, on one line (without file and line number). Header and digest
// lines come back with their type only: the caller parses them as a whole.
absl::Status ParseLine(std::string_view text, Line* line);

}  // namespace bank::checker
