#include "branch/remote_command/branch_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "branch/ledger/ledger.h"
#include "common/hex.h"

namespace bank::remote_command {
namespace {

using replication::Role;
using telemetry::CommandOutcome;

Answer Done(std::string message) { return {CommandOutcome::kDone, 0, std::move(message)}; }
Answer Failed(std::string message) { return {CommandOutcome::kFailed, 1, std::move(message)}; }

// Of a failed status; what ends a waiting command has outcomes of its own.
Answer FailedBy(const absl::Status& status) {
  Answer answer = Failed(std::string(status.message()));
  if (absl::IsCancelled(status)) answer.outcome = CommandOutcome::kCancelled;
  if (absl::IsDeadlineExceeded(status)) answer.outcome = CommandOutcome::kTimedOut;
  return answer;
}

class Branch {
 public:
  Branch(BranchActions actions, ProgramTable programs)
      : actions_(std::move(actions)), programs_(std::move(programs)) {}

  Answer Run(const Command& command, Execution& execution) const {
    return std::visit([&](const auto& c) { return Do(c, execution); }, command);
  }

 private:
  Answer Do(std::monostate, Execution&) const { return Failed("no command"); }
  Answer Do(const SetSamplingInterval& command, Execution&) const;
  Answer Do(const SetCollector& command, Execution&) const;
  Answer Do(const TakeSnapshot&, Execution& execution) const;
  Answer Do(const TransferLeadership& command, Execution& execution) const;
  Answer Do(const SetLogLevel& command, Execution&) const;
  Answer Do(const ListSessions& command, Execution& execution) const;
  Answer Do(const TopAccounts& command, Execution& execution) const;
  Answer Do(const VerifyDigest&, Execution& execution) const;
  Answer Do(const HostDiagnostic& command, Execution& execution) const;

  template <class Action, class... Arguments>
  Answer Simple(const Action& action, std::string message, const Arguments&... arguments) const {
    if (!action) return Failed("not available here");
    const absl::Status status = action(arguments...);
    return status.ok() ? Done(std::move(message)) : FailedBy(status);
  }

  // Looking at every account is for a copy: nothing is applied while the ledger itself is read.
  ledger::FrozenLedger FreezeLedger() const {
    std::optional<ledger::FrozenLedger> frozen;
    actions_.admin->ReadLedger([&](const ledger::Ledger& ledger) { frozen = ledger.Freeze(); });
    return *std::move(frozen);
  }

  const BranchActions actions_;
  const ProgramTable programs_;
};

Answer Branch::Do(const SetSamplingInterval& command, Execution&) const {
  return Simple(actions_.set_sampling_interval,
                fmt::format("metrics are read every {} ms", command.milliseconds),
                command.milliseconds);
}

Answer Branch::Do(const SetCollector& command, Execution&) const {
  return Simple(actions_.set_collector,
                fmt::format("collector {} is {}", command.collector,
                            command.enabled ? "enabled" : "disabled"),
                command.collector, command.enabled);
}

Answer Branch::Do(const SetLogLevel& command, Execution&) const {
  return Simple(actions_.set_log_level, fmt::format("log level is {}", command.level),
                command.level);
}

Answer Branch::Do(const TakeSnapshot&, Execution& execution) const {
  if (actions_.admin == nullptr) return Failed("not available here");
  const absl::Status status = execution.Await([&](Execution::Done done) {
    actions_.admin->TakeSnapshot(execution.deadline_ns(), std::move(done));
  });
  if (!status.ok()) return FailedBy(status);
  return Done(fmt::format("snapshot at log entry {}",
                          actions_.replicator->GetStatus().snapshot_index.value));
}

Answer Branch::Do(const TransferLeadership& command, Execution& execution) const {
  if (actions_.admin == nullptr) return Failed("not available here");
  const auto before = actions_.replicator->GetStatus();
  if (before.role != Role::kLeader) {
    return Failed(
        before.leader.value == 0
            ? std::string("this branch does not lead, and knows nobody who does")
            : fmt::format("this branch does not lead: ask branch-{}", before.leader.value));
  }
  const absl::Status over = execution.Await([&](Execution::Done done) {
    actions_.admin->TransferLeadership(command.to, std::move(done));
  });
  if (!over.ok()) return FailedBy(over);
  const auto now = actions_.replicator->GetStatus();
  return Done(fmt::format("branch {} leads in term {}", now.leader.value, now.term.value));
}

Answer Branch::Do(const ListSessions& command, Execution& execution) const {
  if (actions_.admin == nullptr) return Failed("not available here");
  std::vector<ledger::SessionView> sessions;
  ledger::Summary summary;
  actions_.admin->ReadLedger([&](const ledger::Ledger& ledger) {
    sessions = ledger.IdleSessions(command.limit == 0 ? kSessionRowsDefault : command.limit);
    summary = ledger.summary();
  });
  std::string text =
      fmt::format("{:<20} {:>12} {:>15} {:>11}\n", "SESSION", "IDLE_MS", "WINDOW", "REMEMBERED");
  for (const ledger::SessionView& session : sessions) {
    text += fmt::format("{:<20} {:>12} {:>15} {:>11}\n", session.tag, session.idle_ms,
                        fmt::format("{}/{}", session.window_used, session.window_max),
                        session.remembered);
  }
  execution.Write(text);
  return Done(fmt::format("{} of {} sessions, at position {}", sessions.size(), summary.sessions,
                          summary.position.value));
}

Answer Branch::Do(const TopAccounts& command, Execution& execution) const {
  if (actions_.admin == nullptr) return Failed("not available here");
  const ledger::FrozenLedger ledger = FreezeLedger();
  const std::vector<ledger::AccountView> accounts =
      ledger.TopAccounts(command.limit == 0 ? kAccountRowsDefault : command.limit);
  const ledger::Summary& summary = ledger.summary();
  std::string text = fmt::format("{:>20} {}\n", "BALANCE", "ACCOUNT");
  for (const ledger::AccountView& account : accounts) {
    // Customers choose the names: whatever they hold, a row stays a row.
    text += fmt::format("{:>20} {}\n", account.balance, Quote(account.name));
  }
  execution.Write(text);
  return Done(fmt::format("{} of {} accounts, at position {}", accounts.size(), summary.accounts,
                          summary.position.value));
}

Answer Branch::Do(const VerifyDigest&, Execution& execution) const {
  if (actions_.admin == nullptr) return Failed("not available here");
  const ledger::FrozenLedger ledger = FreezeLedger();
  const absl::Status conserved = ledger.CheckConservation();
  const ledger::Summary& summary = ledger.summary();
  execution.Write(fmt::format(
      "position {}\nstate_digest {}\nhistory_digest {}\n"
      "accounts {}\nbalance_total {}\nconserved {}\n",
      summary.position.value, HexDigits(summary.state_digest), HexDigits(summary.history_digest),
      summary.accounts, summary.balance_total, conserved.ok() ? "yes" : "NO"));
  if (!conserved.ok()) return Failed(std::string(conserved.message()));
  return Done(fmt::format("money is conserved and the digest is right: {} at position {}",
                          HexDigits(summary.state_digest), summary.position.value));
}

Answer Branch::Do(const HostDiagnostic& command, Execution& execution) const {
  const auto program = programs_.find(command.program);
  if (program == programs_.end()) return Failed("not available here");
  const ProgramResult result =
      RunProgram(program->second,
                 {.deadline_ns = execution.deadline_ns(), .cancelled = &execution.cancelled()},
                 execution.clock(), [&](std::string_view bytes) { return execution.Write(bytes); });
  Answer answer{CommandOutcome::kDone, result.exit_status, ""};
  switch (result.end) {
    case ProgramEnd::kExited:
      if (result.exit_status == 0) break;
      answer.outcome = CommandOutcome::kFailed;
      answer.message = fmt::format("exit status {}", result.exit_status);
      break;
    case ProgramEnd::kCancelled:
      answer.outcome = CommandOutcome::kCancelled;
      break;
    case ProgramEnd::kTimedOut:
      answer.outcome = CommandOutcome::kTimedOut;
      answer.message = "killed at its deadline";
      break;
    case ProgramEnd::kFlooded:
      answer.outcome = CommandOutcome::kFailed;
      answer.message = fmt::format("killed: it went on printing beyond {} bytes", kOutputBytesMax);
      break;
    case ProgramEnd::kNotStarted:
      return Failed(result.reason);
  }
  return answer;
}

}  // namespace

Executor BranchExecutor(BranchActions actions, ProgramTable programs) {
  auto branch = std::make_shared<const Branch>(std::move(actions), std::move(programs));
  return [branch](const Command& command, Execution& execution) {
    return branch->Run(command, execution);
  };
}

}  // namespace bank::remote_command
