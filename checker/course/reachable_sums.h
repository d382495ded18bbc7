// The balances that a choice of the others' writes adds up to. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "checker/course/order_search.h"

namespace bank::checker::course {

// Whether the balance can be `amount` when chain `own` has done its first `done` steps and each of
// the others any number of its own. Which steps they need to see is ignored: false is certain, true
// is not. nullopt: the amounts are too many to tell.
std::optional<bool> CanReach(int64_t start, const std::vector<Chain>& chains, size_t own,
                             size_t done, int64_t amount);

}  // namespace bank::checker::course
