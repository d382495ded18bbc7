#include "checker/model/violation.h"

namespace bank::checker {

std::string_view ViolationKindName(ViolationKind kind) {
  switch (kind) {
    case ViolationKind::kBalance:
      return "balance";
    case ViolationKind::kDuplicateIndex:
      return "duplicate-index";
    case ViolationKind::kRealTime:
      return "real-time";
    case ViolationKind::kKey:
      return "key";
    case ViolationKind::kSearch:
      return "not-linearizable";
    case ViolationKind::kDigest:
      return "digest";
    case ViolationKind::kTotal:
      return "total";
  }
  return "?";
}

}  // namespace bank::checker
