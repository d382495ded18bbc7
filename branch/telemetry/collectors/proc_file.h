// ProcFile: a small file of /proc, kept open and read anew each time, into one buffer.
//
// A file that is not there, or cannot be read, is tried again at the next reading. One thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bank::telemetry {

class ProcFile {
 public:
  explicit ProcFile(std::string path);
  ~ProcFile();
  ProcFile(const ProcFile&) = delete;
  ProcFile& operator=(const ProcFile&) = delete;

  // All of it, as it is now; valid until the next call. Nothing: the machine does not offer it.
  std::optional<std::string_view> Read();

 private:
  bool Fill();

  const std::string path_;
  int file_ = -1;
  std::string buffer_;
  size_t size_ = 0;
};

}  // namespace bank::telemetry
