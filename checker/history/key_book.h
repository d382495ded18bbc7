// KeyBook: which keys (session and sequence, or process and id) have been met, in memory that grows
// with the number of sessions and of holes in their sequences, not with the number of operations.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace bank::checker {

struct OperationKey {
  uint64_t session = 0;
  uint64_t sequence = 0;
  auto operator<=>(const OperationKey&) const = default;
  template <class H>
  friend H AbslHashValue(H h, const OperationKey& key) {
    return H::combine(std::move(h), key.session, key.sequence);
  }
};

class KeyBook {
 public:
  // False if the key was there already.
  bool Insert(OperationKey key) {
    std::vector<Range>& ranges = sessions_[key.session];
    // Of all numbers of 64 bits: the one behind the last is none.
    if (!ranges.empty() && key.sequence != 0 && ranges.back().last == key.sequence - 1) {
      ranges.back().last = key.sequence;
      return true;
    }
    // The first range that does not end before the key.
    auto at = std::lower_bound(ranges.begin(), ranges.end(), key.sequence,
                               [](const Range& r, uint64_t s) { return r.last < s; });
    if (at != ranges.end() && at->first <= key.sequence) return false;
    const bool joins_next = at != ranges.end() && at->first - 1 == key.sequence;
    const bool joins_previous = at != ranges.begin() && (at - 1)->last == key.sequence - 1;
    if (joins_previous && joins_next) {
      (at - 1)->last = at->last;
      ranges.erase(at);
    } else if (joins_previous) {
      (at - 1)->last = key.sequence;
    } else if (joins_next) {
      at->first = key.sequence;
    } else {
      ranges.insert(at, {key.sequence, key.sequence});
    }
    return true;
  }

 private:
  struct Range {
    uint64_t first;
    uint64_t last;  // inclusive
  };
  absl::flat_hash_map<uint64_t, std::vector<Range>> sessions_;
};

}  // namespace bank::checker
