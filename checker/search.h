// Search: is there any order of the operations, in keeping with time, that explains all answers?
//
// Wing and Gong's algorithm with Lowe's memoisation of (what is done, state), run apart for every
// group of accounts that transfers connect (linearizability is local; Herlihy and Wing 1990).
// Positions are not looked at. Operations of unknown outcome may be put anywhere after their
// invocation, or left out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checker/history_reader.h"
#include "checker/operation.h"

namespace bank::checker {

enum class SearchAnswer : uint8_t { kLinearizable, kViolation, kUnknown };

struct SearchOptions {
  int64_t budget_ms = 10'000;
  uint64_t states_max = 4'000'000;  // remembered, 16 bytes each and the table's slack
};

struct SearchResult {
  SearchAnswer answer = SearchAnswer::kUnknown;
  uint64_t states = 0;
  // kViolation: the smallest set found that no order explains, by invocation.
  std::vector<Operation> culprits;
};

// `operations`: one for each effect (attempts.h), of any fate.
SearchResult Search(const std::vector<Operation>& operations, const HistoryReader::Initial& initial,
                    const AccountNames& names, const SearchOptions& options);

}  // namespace bank::checker
