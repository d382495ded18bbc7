#include "checker/history/file_lines.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace bank::checker {

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
          absl::StrCat(path(), ":", line_number_ + 1, ": the line is longer than 1 MiB"));
      return false;
    }
    if (begin_ != 0 && kBufferBytes - end_ < kReadBytes) {
      std::memmove(buffer_.get(), start, available);
      begin_ = 0;
      end_ = available;
    }
    const absl::StatusOr<size_t> got =
        input_->Read(offset_, buffer_.get() + end_, std::min(kReadBytes, kBufferBytes - end_));
    if (!got.ok()) {
      status_ = got.status();
      return false;
    }
    if (*got == 0) at_end_ = true;
    end_ += *got;
    offset_ += *got;
  }
}

}  // namespace bank::checker
