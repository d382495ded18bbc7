#include "customer/replay/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace bank::replay {

absl::StatusOr<std::string> ReadInput(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat about = {};
  if (file.get() < 0 || ::fstat(file.get(), &about) != 0) return absl::ErrnoToStatus(errno, path);
  if (S_ISDIR(about.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": a folder, not a file"));
  }
  std::string content;
  char block[1 << 16];
  while (true) {
    const ssize_t size = ::read(file.get(), block, sizeof(block));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return absl::ErrnoToStatus(errno, path);
    if (size == 0) return content;
    content.append(block, static_cast<size_t>(size));
    if (content.size() > kInputBytesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": larger than ", kInputBytesMax >> 20, " MiB"));
    }
  }
}

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
