// Sums between quiet points: what a balance must be, whatever the order of what happened before it.
//
// A balance that was told differs from one told earlier, or from the first one, by the sum of what
// was certainly carried out in between, and of some of what may have been. Where no such sum fits,
// there is no order, and none need be searched for. Pure.
#pragma once

#include <vector>

#include "checker/history/history_reader.h"
#include "checker/model/operation.h"

namespace bank::checker {

// Whether some balance that `operations` tell is no such sum: then no order explains them. False
// tells nothing. Takes time for the square of their number, up to kQuietSumsMax of them; of more,
// sums from the beginning on are looked at only.
inline constexpr size_t kQuietSumsMax = 2'000;
bool SumsContradict(const std::vector<Operation>& operations, const InitialState& initial);

}  // namespace bank::checker
