// FileLines: the lines of an input, one at a time, through a buffer of fixed size.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "checker/history/input_file.h"

namespace bank::checker {

class FileLines {
 public:
  static constexpr size_t kLineBytesMax = 1 << 20;  // inclusive

  // From the beginning of `input`, which others may read too.
  explicit FileLines(std::shared_ptr<InputFile> input)
      : input_(std::move(input)), buffer_(std::make_unique_for_overwrite<char[]>(kBufferBytes)) {}
  FileLines(const FileLines&) = delete;
  FileLines& operator=(const FileLines&) = delete;

  // False at the end and on errors (status() tells which). `line` is without its newline and valid
  // until the next call; `terminated` is false if the file ends without one.
  bool Next(std::string_view* line, bool* terminated);

  const absl::Status& status() const { return status_; }
  const std::string& path() const { return input_->path(); }
  uint64_t line_number() const { return line_number_; }  // of the newest line, from 1

 private:
  static constexpr size_t kReadBytes = 1 << 18;
  static constexpr size_t kBufferBytes = kLineBytesMax + kReadBytes;

  std::shared_ptr<InputFile> input_;
  std::unique_ptr<char[]> buffer_;
  absl::Status status_;
  uint64_t offset_ = 0;  // of what is read next
  size_t begin_ = 0;     // of what is read and not yet returned
  size_t end_ = 0;
  bool at_end_ = false;
  uint64_t line_number_ = 0;
};

}  // namespace bank::checker
