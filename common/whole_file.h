// A file that a person names, read whole.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace bank {

inline constexpr size_t kWholeFileBytesMax = 64 << 20;

// The messages begin with the path and say what is wrong with it: missing, a folder, not readable,
// larger than kWholeFileBytesMax.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path);

}  // namespace bank
