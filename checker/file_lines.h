// FileLines: the lines of a file, one at a time, through a buffer of fixed size.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace bank::checker {

class FileLines {
 public:
  static constexpr size_t kLineBytesMax = 1 << 20;  // inclusive

  explicit FileLines(std::string path) : path_(std::move(path)) {}
  ~FileLines();
  FileLines(const FileLines&) = delete;
  FileLines& operator=(const FileLines&) = delete;

  // NotFound or the like with the path and the system's words.
  absl::Status Open();

  // False at the end and on errors (status() tells which). `line` is without its newline and valid
  // until the next call; `terminated` is false if the file ends without one.
  bool Next(std::string_view* line, bool* terminated);

  const absl::Status& status() const { return status_; }
  const std::string& path() const { return path_; }
  uint64_t line_number() const { return line_number_; }  // of the newest line, from 1

 private:
  std::string path_;
  absl::Status status_;
  int fd_ = -1;
  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;  // of what is read and not yet returned
  size_t end_ = 0;
  bool at_end_ = false;
  uint64_t line_number_ = 0;
};

}  // namespace bank::checker
