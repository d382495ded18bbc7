#include "branch/telemetry/collectors/proc_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace bank::telemetry {

ProcFile::ProcFile(std::string path) : path_(std::move(path)), buffer_(4096, '\0') {}

ProcFile::~ProcFile() {
  if (file_ >= 0) close(file_);
}

std::optional<std::string_view> ProcFile::Read() {
  if (file_ < 0) file_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) return std::nullopt;
  if (!Fill()) {
    close(std::exchange(file_, -1));
    return std::nullopt;
  }
  return std::string_view(buffer_.data(), size_);
}

bool ProcFile::Fill() {
  size_ = 0;
  for (;;) {
    if (size_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
    const ssize_t n =
        pread(file_, buffer_.data() + size_, buffer_.size() - size_, static_cast<off_t>(size_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    if (n == 0) return true;
    size_ += static_cast<size_t>(n);
  }
}

}  // namespace bank::telemetry
