#include "customer/replay/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/strings/str_cat.h"

namespace bank::replay {
namespace {

// Closes at the end of its scope.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  const int descriptor_;
};

absl::Status WriteAll(int file, std::string_view rest) {
  while (!rest.empty()) {
    const ssize_t written = ::write(file, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::ErrnoToStatus(errno, "cannot write");
    rest.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(file) != 0 && errno != EINVAL) return absl::ErrnoToStatus(errno, "cannot sync");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadInput(const std::string& path) {
  File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
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

absl::Status WriteWhole(const std::string& path, std::string_view content) {
  const std::string temporary = absl::StrCat(path, ".", ::getpid(), ".tmp");
  absl::Status status;
  {
    File file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    status = file.get() < 0 ? absl::ErrnoToStatus(errno, "cannot be created")
                            : WriteAll(file.get(), content);
  }
  if (status.ok() && std::rename(temporary.c_str(), path.c_str()) != 0) {
    status = absl::ErrnoToStatus(errno, "cannot be renamed into place");
  }
  if (status.ok()) return status;
  ::unlink(temporary.c_str());
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

}  // namespace bank::replay
