// What each command does on a branch.
//
// A DONE command's output is text for people, one row per line, columns separated by blanks and the
// first line their titles; the message is its one-line summary.
// Thread-safe as far as the actions are.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "branch/remote_command/execution.h"
#include "branch/remote_command/program.h"
#include "branch/replication/replica_admin.h"
#include "branch/replication/replicator.h"

namespace bank::remote_command {

// Where the commands of proto/bank/v1/monitor.proto go. The functions return at once. What is not
// set: its commands FAIL, "not available here".
struct BranchActions {
  std::function<absl::Status(uint32_t milliseconds)> set_sampling_interval;
  std::function<absl::Status(const std::string& collector, bool enabled)> set_collector;
  std::function<absl::Status(const std::string& level)> set_log_level;
  const replication::Replicator* replicator = nullptr;  // both or none; they outlive the executor
  replication::ReplicaAdmin* admin = nullptr;
};

// `programs` is what the host diagnostics run: HostPrograms(), or what a test puts in its place. A
// request names a diagnostic of the catalog, never a program.
Executor BranchExecutor(BranchActions actions, ProgramTable programs = HostPrograms());

}  // namespace bank::remote_command
