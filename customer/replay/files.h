// The files of a replay: where its histories grow.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/output_file.h"

namespace bank::replay {

// A new folder, of this run alone, for what is to be joined into `place`: beside it, or among the
// temporary files if nothing can be made there.
absl::StatusOr<std::string> MakePartsFolder(const OutputPlace& place);

}  // namespace bank::replay
