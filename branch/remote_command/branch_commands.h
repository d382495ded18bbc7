// What each command does on a branch.
//
// A DONE command's output is text for people, one row per line, columns separated by blanks and the
// first line their titles; the message is its one-line summary.
// Thread-safe as far as the actions are.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "branch/ledger/ledger.h"
#include "branch/remote_command/execution.h"
#include "branch/remote_command/program.h"
#include "branch/replication/replicator.h"
#include "common/ids.h"

namespace bank::remote_command {

// What a branch can be asked to do; see each in proto/bank/v1/monitor.proto. All but read_ledger
// return at once. An action that is not set: its command FAILS, "not available here".
struct BranchActions {
  std::function<absl::Status(uint32_t milliseconds)> set_sampling_interval;
  std::function<absl::Status(const std::string& collector, bool enabled)> set_collector;
  std::function<absl::Status(const std::string& level)> set_log_level;
  std::function<void(int64_t deadline_ns, std::function<void(absl::Status)> done)> take_snapshot;
  std::function<void(BranchId to, std::function<void(absl::Status)> done)> transfer_leadership;
  std::function<void(absl::FunctionRef<void(const ledger::Ledger&)> read)> read_ledger;
  std::function<replication::ReplicatorStatus()> status;
};

// `programs` is what the host diagnostics run: HostPrograms(), or what a test puts in its place. A
// request names a diagnostic of the catalog, never a program.
Executor BranchExecutor(BranchActions actions, ProgramTable programs = HostPrograms());

}  // namespace bank::remote_command
