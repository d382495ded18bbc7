// The files of a replay: its input, read whole, and where its histories grow.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/output_file.h"

namespace bank::replay {

inline constexpr size_t kInputBytesMax = 64 << 20;

// The messages begin with the path and say what is wrong with it: missing, a folder, not readable,
// larger than kInputBytesMax.
absl::StatusOr<std::string> ReadInput(const std::string& path);

// A new folder, of this run alone, for what is to be joined into `place`: beside it, or among the
// temporary files if nothing can be made there.
absl::StatusOr<std::string> MakePartsFolder(const OutputPlace& place);

}  // namespace bank::replay
