#include "common/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/output_file.h"

namespace bank {

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
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
    if (content.size() > kWholeFileBytesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": larger than ", kWholeFileBytesMax >> 20, " MiB"));
    }
  }
}

}  // namespace bank
