// The branch's log: lines on stderr, one form: time, level, branch, text.
#pragma once

#include <string>

#include "common/ids.h"

namespace bank::node {

// `level` is one of spdlog's names. Call once, before any thread. gRPC's own messages become lines
// at debug.
void SetUpLogging(BranchId self, const std::string& level);

}  // namespace bank::node
