// What each command does, on a real ledger and with diagnostics that a test puts in their place.
#include "branch/remote_command/branch_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/hex.h"
#include "tests/support/fake_replicator.h"

namespace bank::remote_command {
namespace {

using replication::Role;
using telemetry::CommandOutcome;
using testing::HasSubstr;

class BranchCommands : public testing::Test {
 protected:
  BranchCommands() {
    status_.role = Role::kLeader;
    status_.term = Term(3);
    status_.leader = BranchId(1);
    replicator_.SetStatus(status_);
    actions_.replicator = &replicator_;
    actions_.admin = &replicator_;
  }

  Answer Run(const Command& command, int64_t deadline_ms = 10'000) {
    output_.clear();
    Execution execution(clock_, clock_.NowNs() + deadline_ms * 1'000'000, cancelled_,
                        [this](std::string_view text) {
                          output_ += text;
                          return output_.size() < kOutputBytesMax;
                        });
    return BranchExecutor(actions_, programs_)(command, execution);
  }

  SteadyClock clock_;
  replication::FakeReplicator replicator_;
  replication::ReplicatorStatus status_;
  BranchActions actions_;
  ProgramTable programs_ = HostPrograms();
  std::atomic<bool> cancelled_{false};
  std::string output_;
};

TEST_F(BranchCommands, SettingsReachWhoeverKeepsThem) {
  std::string heard;
  actions_.set_sampling_interval = [&](uint32_t ms) {
    heard = std::to_string(ms);
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(SetSamplingInterval{250}).outcome, CommandOutcome::kDone);
  EXPECT_EQ(heard, "250");
  actions_.set_collector = [&](const std::string& name, bool enabled) {
    heard = name + (enabled ? " on" : " off");
    return absl::OkStatus();
  };
  EXPECT_EQ(Run(SetCollector{"cpu", false}).message, "collector cpu is disabled");
  EXPECT_EQ(heard, "cpu off");
  actions_.set_log_level = [](const std::string&) { return absl::InternalError("no"); };
  EXPECT_EQ(Run(SetLogLevel{"debug"}).outcome, CommandOutcome::kFailed);
  actions_.set_log_level = nullptr;
  EXPECT_EQ(Run(SetLogLevel{"debug"}).message, "not available here");
}

TEST_F(BranchCommands, WithoutAReplicatorThereIsNothingToAsk) {
  actions_.replicator = nullptr;
  actions_.admin = nullptr;
  for (const Command& command : std::initializer_list<Command>{
           TakeSnapshot{}, TransferLeadership{}, ListSessions{}, TopAccounts{}, VerifyDigest{}}) {
    EXPECT_EQ(Run(command).message, "not available here") << Text(command);
  }
}

TEST_F(BranchCommands, ASnapshotIsAwaited) {
  replicator_.take_snapshot = [&](auto done) {
    status_.snapshot_index = LogIndex(17);
    replicator_.SetStatus(status_);
    done(absl::OkStatus());
  };
  EXPECT_EQ(Run(TakeSnapshot{}).message, "snapshot at log entry 17");
  replicator_.take_snapshot = [](auto) {};
  EXPECT_EQ(Run(TakeSnapshot{}, 50).outcome, CommandOutcome::kTimedOut);
  cancelled_ = true;
  EXPECT_EQ(Run(TakeSnapshot{}).outcome, CommandOutcome::kCancelled);
}

TEST_F(BranchCommands, LeadershipIsHandedOverByWhoLeads) {
  replicator_.transfer_leadership = [&](BranchId to, auto done) {
    status_.role = Role::kFollower;
    status_.leader = to;
    status_.term = Term(4);
    replicator_.SetStatus(status_);
    done(absl::OkStatus());
  };
  EXPECT_EQ(Run(TransferLeadership{BranchId(2)}).message, "branch 2 leads in term 4");
  const Answer again = Run(TransferLeadership{BranchId(1)});
  EXPECT_EQ(again.outcome, CommandOutcome::kFailed);
  EXPECT_EQ(again.message, "this branch does not lead: ask branch-2");
}

TEST_F(BranchCommands, AccountsAndSessionsAreRows) {
  replicator_.Do({.kind = ledger::Kind::kOpen, .account = "poor", .amount = 1});
  replicator_.Do({.kind = ledger::Kind::kOpen, .account = "rich\nforged", .amount = 9});
  EXPECT_EQ(Run(TopAccounts{1}).message, "1 of 2 accounts, at position 2");
  EXPECT_EQ(output_, "             BALANCE ACCOUNT\n                   9 \"rich\\x0aforged\"\n");
  replicator_.Do({.kind = ledger::Kind::kOpenSession});
  EXPECT_EQ(Run(ListSessions{}).message, "1 of 1 sessions, at position 3");
  EXPECT_THAT(output_, HasSubstr("0/16384"));
}

TEST_F(BranchCommands, TheDigestIsThatOfTheLedgerAtOneIndex) {
  replicator_.Do({.kind = ledger::Kind::kOpen, .account = "a", .amount = 5});
  EXPECT_EQ(Run(VerifyDigest{}).outcome, CommandOutcome::kDone);
  EXPECT_THAT(output_, HasSubstr("position 1\n"));
  EXPECT_THAT(output_, HasSubstr(HexDigits(replicator_.GetStatus().ledger.state_digest)));
  EXPECT_THAT(output_, HasSubstr("conserved yes"));
}

TEST_F(BranchCommands, DiagnosticsEndAsTheirProgramsDo) {
  EXPECT_EQ(Run(HostDiagnostic{"uptime"}).outcome, CommandOutcome::kDone);
  EXPECT_THAT(output_, HasSubstr("load average"));
  programs_ = {{"df", {"/bin/sh", "-c", "echo x; exit 4"}},
               {"ps", {"/bin/sh", "-c", "exec sleep 1000"}},
               {"free", {"/bin/sh", "-c", "while :; do echo yyyyyyyyyyyyyyy; done"}}};
  const Answer failed = Run(HostDiagnostic{"df"});
  EXPECT_EQ(failed.outcome, CommandOutcome::kFailed);
  EXPECT_EQ(failed.exit_status, 4);
  EXPECT_EQ(Run(HostDiagnostic{"ps"}, 100).outcome, CommandOutcome::kTimedOut);
  const Answer flooded = Run(HostDiagnostic{"free"});
  EXPECT_EQ(flooded.outcome, CommandOutcome::kFailed);
  EXPECT_EQ(flooded.exit_status, 137);
  EXPECT_THAT(flooded.message, HasSubstr("printing"));
  EXPECT_EQ(Run(HostDiagnostic{"uptime"}).message, "not available here");
}

}  // namespace
}  // namespace bank::remote_command
