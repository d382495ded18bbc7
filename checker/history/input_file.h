// InputFile: an input that can be read as often as needed, be it a file or a pipe.
//
// A regular file is read where it lies. What can be read only once (a pipe, a FIFO, a terminal,
// `-` for the standard input) is copied, while it is read for the first time, to a temporary file
// without a name ($TMPDIR, else /tmp); so memory does not grow with the input. Directories and
// block devices are refused. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bank::checker {

class InputFile {
 public:
  // An error names the path and says what is wrong, on one line. Waits, as any reader does, until
  // somebody writes to a FIFO.
  static absl::StatusOr<std::shared_ptr<InputFile>> Open(const std::string& path);
  // An input in memory.
  static std::shared_ptr<InputFile> OfText(std::string path, std::string text);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  // Fills `buffer` from `offset` on, which is at most what was read before. Returns how much there
  // was, 0 at the end.
  absl::StatusOr<size_t> Read(uint64_t offset, char* buffer, size_t bytes);

  const std::string& path() const { return path_; }
  // Both read from one pipe: each would get a part of it.
  bool Shares(const InputFile& other) const;

 private:
  InputFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  absl::Status Keep(const char* bytes, size_t count);

  std::string path_;
  int fd_;  // < 0: it is text_
  std::string text_;
  bool is_regular_ = true;
  uint64_t device_ = 0;
  uint64_t inode_ = 0;
  uint64_t begin_ = 0;  // where the input begins in a regular file
  int copy_ = -1;       // of what was read from a pipe
  uint64_t copied_ = 0;
  bool at_end_ = false;
};

using InputFiles = std::vector<std::shared_ptr<InputFile>>;

// Opens all of them; refuses a pipe that is named twice.
absl::StatusOr<InputFiles> OpenInputs(const std::vector<std::string>& paths);

}  // namespace bank::checker
