// A child process with a pipe to its standard input and one from its standard output.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace bank::replay {

// Owns the process: the destructor closes the pipes, so that a child that waits for input ends,
// and waits for it. Standard error is shared.
class Process {
 public:
  Process() = default;
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  absl::Status Start(const std::vector<std::string>& command);

  // Sends a line. An error is not told: a child that is gone ends its output.
  void Send(const std::string& line);
  void CloseInput();

  // Readable when poll() says so; -1 after the end.
  int output() const { return output_; }
  // Appends complete lines to `lines`; closes output() at its end. Blocks if nothing is there.
  void ReadLines(std::vector<std::string>* lines);

  // Waits for the end; the exit code, or 128 + the signal.
  int Wait();

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  std::string partial_;
};

}  // namespace bank::replay
