// Search: is there any order of the operations, in keeping with time, that explains all answers?
//
// In three steps, each of which can find that there is none: every account alone, as if nothing
// were known of the others; every group of accounts that transfers connect (linearizability is
// local: Herlihy and Wing 1990); and all together, if some operations have positions, if answers
// tell of the bank as a whole, or if the order must lead to what a branch said. Operations of
// unknown outcome may be put anywhere after their invocation, or left out. Queries that need not be
// fresh may see any state that could be reached before they were answered.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checker/history/history_reader.h"
#include "checker/model/operation.h"
#include "checker/search/group_search.h"

namespace bank::checker {

struct SearchOptions {
  Budget searching;                 // for the answer
  Budget minimizing;                // until the smallest set that shows a violation is found
  uint64_t states_max = 4'000'000;  // remembered, 16 bytes each and the table's slack
  bool positions = false;           // operations that have a position stand in that order
  bool has_others = false;          // the bank has accounts that nobody names
  // With `positions`: what a branch said in the end, which the order must lead to.
  const Digest* end = nullptr;
};

struct SearchResult {
  SearchAnswer answer = SearchAnswer::kUnknown;
  uint64_t states = 0;
  // kLinearizable: what operations of unknown outcome added to all balances in the order found.
  Wide taken = 0;
  bool lacks_room = false;  // kUnknown: an order was found, but not where all of it took a position
  // kViolation: orders may explain all answers, but none leads to SearchOptions::end.
  bool is_of_end = false;
  // kViolation: the smallest set found that no order explains, by invocation. None if is_of_end.
  std::vector<Operation> culprits;
};

// `operations`: one for each effect (duplicate_keys.h), of any fate.
SearchResult Search(const std::vector<Operation>& operations, const InitialState& initial,
                    const AccountNames& names, const SearchOptions& options);

}  // namespace bank::checker
