// branch: one branch of a bank, as a process.
#include <fmt/format.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>

#include "branch/node/branch.h"
#include "branch/node/config.h"
#include "branch/node/logging.h"
#include "common/exit_code.h"
#include "common/program.h"
#include "net/open_files.h"
#include "net/runtime.h"

namespace bank::node {
namespace {

// Stop() is bounded by what it waits for itself; this is for what it cannot bound.
constexpr unsigned kStopSecondsMax = 10;

int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
      return kExitBadInput;
    case absl::StatusCode::kPermissionDenied:
      return kExitDenied;
    case absl::StatusCode::kDataLoss:
      return kExitInconsistent;
    default:
      return kExitUnavailable;
  }
}

// Nothing may be acknowledged any more: no destructors, no drain.
[[noreturn]] void Fatal(const absl::Status& status) {
  spdlog::critical("stops: {}", std::string(status.message()));
  std::_Exit(absl::IsDataLoss(status) ? kExitInconsistent : kExitUnavailable);
}

// False, and said so, if nobody can have read it.
bool Say(const Config& config, const char* event, const std::string& address, int port) {
  if (config.json) {
    std::cout << fmt::format(R"({{"event":"{}","branch":{},"listen":"{}","port":{}}})", event,
                             config.self.value, address, port)
              << std::endl;
  } else {
    std::cout << fmt::format("branch {} {} ({})", config.self.value, event, address) << std::endl;
  }
  return FlushOutput("branch");
}

int Main(int argc, const char* const* argv) {
  net::PrepareRuntime();
  const Parsed parsed = ParseConfig(argc, argv);
  if (!parsed.config) return parsed.exit_code;
  const Config& config = *parsed.config;
  SetUpLogging(config.self, config.log_level);

  // Blocked before the first thread is made, so that only sigwait() below ever sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  if (const uint64_t files = net::PrepareOpenFiles(); files < net::kOpenFilesMin) {
    std::cerr << fmt::format("branch: may open {} files only, and needs at least {} (ulimit -n)\n",
                             files, net::kOpenFilesMin);
    return kExitUnavailable;
  }
  auto branch = Branch::Start(config, Fatal);
  if (!branch.ok()) {
    std::cerr << "branch: " << branch.status().message() << std::endl;
    return ExitCodeOf(branch.status());
  }
  // Whoever waits for this line would wait for ever.
  if (!Say(config, "listens", (*branch)->listen_address(), (*branch)->port())) {
    (*branch)->Stop();
    return kExitUnavailable;
  }
  int signal = 0;
  sigwait(&signals, &signal);
  spdlog::info("stopping: {}", signal == SIGTERM ? "SIGTERM" : "SIGINT");
  // A second signal ends the process at once, and so does the alarm: gRPC without memory for a
  // thread may never come to its end. What was acknowledged is on the disk whatever happens.
  alarm(kStopSecondsMax);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  (*branch)->Stop();
  spdlog::info("stopped");
  return kExitOk;
}

}  // namespace
}  // namespace bank::node

int main(int argc, char** argv) {
  return bank::RunProgram("branch", [&] { return bank::node::Main(argc, argv); });
}
