#include "common/program.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "common/exit_code.h"

namespace bank {
namespace {

void OpenStandardStreams() {
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    if (::fcntl(stream, F_GETFD) >= 0) continue;
    // The wrong way round, so that whoever reads or prints is told. Takes the lowest free number.
    if (::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) return;
  }
}

}  // namespace

bool FlushOutput(std::string_view name) {
  static std::atomic<bool> told = false;
  errno = 0;
  std::cout.flush();
  const bool flushed = std::fflush(stdout) == 0;
  if (flushed && std::cout.good() && std::ferror(stdout) == 0) return true;
  if (!told.exchange(true)) {
    // The reason is known only if it is this flush that failed.
    std::cerr << name << ": standard output could not be written"
              << (errno != 0 ? std::string(": ") + std::strerror(errno) : "") << std::endl;
  }
  return false;
}

int RunProgram(std::string_view name, const std::function<int()>& work) {
  OpenStandardStreams();
  const int exit_code = work();
  const bool written = FlushOutput(name);
  return exit_code == kExitOk && !written ? kExitUnavailable : exit_code;
}

}  // namespace bank
