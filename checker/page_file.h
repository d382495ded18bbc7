// Where a timeline goes: whether it can be written there, and writing it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace bank::checker {

// Changes nothing. An error says on one line why nothing can be written to `path`: a folder that
// does not exist, is none or may not be written to, a directory, or one of the `inputs`.
absl::Status CanWritePage(const std::string& path, const std::vector<std::string>& inputs);

// Replaces what was in the file; pipes and devices are written to.
absl::Status WritePage(const std::string& path, std::string_view page);

}  // namespace bank::checker
