// Commands: everything of a branch that has to do with commands, wired: the log of what ran here,
// the runner, this branch's streams to the master and to a foreign server, and the master's part
// for when this branch leads.
//
// Order of the end: Stop(), after the server's shutdown and while the worker still runs; then the
// worker's Stop(); then destruction.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "branch/agent/command_link.h"
#include "branch/agent/masters.h"
#include "branch/agent/worker.h"
#include "branch/command/branch_commands.h"
#include "branch/command/command_log.h"
#include "branch/command/runner.h"
#include "branch/monitor/feed.h"
#include "branch/monitor/journal.h"
#include "branch/rpc/command_calls.h"
#include "branch/rpc/command_master.h"
#include "branch/storage/file_system.h"
#include "net/security.h"

namespace bank::node {

struct CommandsOptions {
  std::string folder;   // of the command log
  std::string monitor;  // host:port of a foreign server of monitor.proto; "": none
  net::TlsFiles tls;
  uint64_t bank = 0;
  std::function<std::vector<BranchId>()> members;
  std::function<int64_t()> unix_now_ns;
  command::BranchActions actions;
  command::ProgramTable diagnostics;  // instead of the host's own, by name
};

class Commands {
 public:
  // All references must outlive it. Make it before the masters' first status.
  Commands(CommandsOptions options, storage::FileSystem& files, const Clock& clock,
           monitor::Feed& feed, monitor::Journal& journal, agent::Masters& masters,
           agent::Worker& worker);

  // Dials; needs the server to listen at `address`: when this branch leads, it is its own agent
  // there. InvalidArgument, PermissionDenied: an address that must not be dialled.
  absl::Status Start(const std::string& address);
  void Stop();

  // The service's half; outlives the server.
  rpc::CommandCalls& calls() { return *calls_; }

 private:
  void Audit(const monitor::AuditRecord& record);
  // What ran here before the restart, into the audit of all, unless they know it.
  void ShowPast();

  const CommandsOptions options_;
  monitor::Feed& feed_;
  monitor::Journal& journal_;
  agent::Masters& masters_;
  agent::Worker& worker_;
  std::unique_ptr<command::CommandLog> log_;
  std::vector<monitor::AuditRecord> past_;  // of the log, when the branch started
  std::unique_ptr<command::Runner> runner_;
  std::unique_ptr<rpc::CommandMaster> master_;
  std::unique_ptr<rpc::BankCommands> calls_;
  std::shared_ptr<v1::Monitor::Stub> self_stub_;
  std::unique_ptr<agent::CommandLink> to_master_;
  std::unique_ptr<agent::CommandLink> to_foreign_;  // if there is one
};

}  // namespace bank::node
