#include "customer/replay/files.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace bank::replay {

absl::StatusOr<std::string> MakePartsFolder(const OutputPlace& place) {
  std::error_code error;
  const std::string temporary = std::filesystem::temp_directory_path(error).string();
  for (const std::string& beside : {place.file(), absl::StrCat(temporary, "/bank-history")}) {
    if (beside.empty()) continue;
    std::string folder = absl::StrCat(beside, ".parts-XXXXXX");
    if (::mkdtemp(folder.data()) != nullptr) return folder;
  }
  return absl::ErrnoToStatus(errno, absl::StrCat(temporary, ": no folder can be made there"));
}

}  // namespace bank::replay
