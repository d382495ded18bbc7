// The events of project 2, asked from the branches after a run.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "customer/client/branches.h"
#include "customer/script/logical_clocks.h"

namespace bank::replay {

// All events at each of these branches, which first apply everything up to `position`.
// Unimplemented, with what to do, if a branch orders its writes in another way. Blocks.
absl::StatusOr<script::BranchEvents> ListClockEvents(const std::vector<client::Branch>& branches,
                                                     Position position);

}  // namespace bank::replay
