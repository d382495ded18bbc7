// Files as the replay needs them: read whole, written whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bank::replay {

inline constexpr size_t kInputBytesMax = 64 << 20;

// The messages begin with the path and say what is wrong with it: missing, a folder, not readable,
// larger than kInputBytesMax.
absl::StatusOr<std::string> ReadInput(const std::string& path);

// Writes a temporary file next to `path`, syncs it and renames it: `path` is the old or the new
// file, whole, at all times.
absl::Status WriteWhole(const std::string& path, std::string_view content);

}  // namespace bank::replay
