// The smallest set of operations that no order explains.
#pragma once

#include <vector>

#include "checker/search/group_search.h"

namespace bank::checker {

// Searches a group, unless sums tell already that there is no order (quiet_sums.h): first with
// unknown operations where they are needed, then, if that does not settle it, everywhere. `order`
// (may be null) gets the order found.
struct GroupAnswer {
  SearchAnswer answer = SearchAnswer::kUnknown;
  uint64_t states = 0;
};
GroupAnswer SearchGroup(const std::vector<Operation>& group, const InitialState& initial,
                        const AccountNames& names, const GroupSearch::Options& options,
                        std::vector<Operation>* order);

// `group`: operations that no order explains. The result is in the order of invocations.
std::vector<Operation> MinimizeGroup(const std::vector<Operation>& group,
                                     const InitialState& initial, const AccountNames& names,
                                     const GroupSearch::Options& options);

}  // namespace bank::checker
