// Execution: what a running command may use: its deadline, whether it was cancelled, and where its
// output goes. And the answer it ends with.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "branch/remote_command/catalog.h"
#include "branch/telemetry/sample_batch.h"
#include "common/clock.h"

namespace bank::remote_command {

class Execution {
 public:
  // `write` says whether it wants more. All must outlive the execution.
  Execution(const Clock& clock, int64_t deadline_ns, const std::atomic<bool>& cancelled,
            std::function<bool(std::string_view)> write)
      : clock_(clock), deadline_ns_(deadline_ns), cancelled_(cancelled), write_(std::move(write)) {}

  const Clock& clock() const { return clock_; }
  int64_t deadline_ns() const { return deadline_ns_; }  // on the steady clock
  const std::atomic<bool>& cancelled() const { return cancelled_; }

  // False: the cap is reached; what is written from now on is dropped.
  bool Write(std::string_view text) { return write_(text); }

  // Waits until `start`'s callback is called, with its status; or Cancelled or DeadlineExceeded,
  // whichever comes first. The callback may come at any time later, from any thread.
  using Done = std::function<void(absl::Status)>;
  absl::Status Await(absl::FunctionRef<void(Done)> start);

 private:
  const Clock& clock_;
  const int64_t deadline_ns_;
  const std::atomic<bool>& cancelled_;
  const std::function<bool(std::string_view)> write_;
};

struct Answer {
  telemetry::CommandOutcome outcome = telemetry::CommandOutcome::kUnknown;
  int exit_status = 0;
  std::string message;  // one line
};

// Runs one checked command to its end; may block until the execution's deadline. Called on several
// threads at once.
using Executor = std::function<Answer(const Command&, Execution&)>;

}  // namespace bank::remote_command
