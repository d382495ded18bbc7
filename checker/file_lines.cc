#include "checker/file_lines.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace bank::checker {
namespace {

constexpr size_t kReadBytes = 1 << 18;

}  // namespace

FileLines::~FileLines() {
  if (fd_ >= 0) close(fd_);
}

absl::Status FileLines::Open() {
  fd_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) return absl::NotFoundError(absl::StrCat(path_, ": ", std::strerror(errno)));
  capacity_ = kLineBytesMax + kReadBytes;
  buffer_ = std::make_unique_for_overwrite<char[]>(capacity_);
  return absl::OkStatus();
}

bool FileLines::Next(std::string_view* line, bool* terminated) {
  size_t searched = 0;
  for (;;) {
    const char* start = buffer_.get() + begin_;
    const size_t available = end_ - begin_;
    const void* newline =
        available == searched ? nullptr : std::memchr(start + searched, '\n', available - searched);
    if (newline != nullptr) {
      const size_t length = static_cast<size_t>(static_cast<const char*>(newline) - start);
      *line = std::string_view(start, length);
      *terminated = true;
      begin_ += length + 1;
      ++line_number_;
      return true;
    }
    searched = available;
    if (at_end_) {
      if (available == 0) return false;
      *line = std::string_view(start, available);
      *terminated = false;
      begin_ = end_;
      ++line_number_;
      return true;
    }
    if (available > kLineBytesMax) {
      status_ = absl::InvalidArgumentError(
          absl::StrCat(path_, ":", line_number_ + 1, ": the line is longer than 1 MiB"));
      return false;
    }
    if (begin_ != 0 && capacity_ - end_ < kReadBytes) {
      std::memmove(buffer_.get(), start, available);
      begin_ = 0;
      end_ = available;
    }
    const ssize_t got = read(fd_, buffer_.get() + end_, std::min(kReadBytes, capacity_ - end_));
    if (got < 0) {
      if (errno == EINTR) continue;
      status_ = absl::UnavailableError(absl::StrCat(path_, ": ", std::strerror(errno)));
      return false;
    }
    if (got == 0) at_end_ = true;
    end_ += static_cast<size_t>(got);
  }
}

}  // namespace bank::checker
