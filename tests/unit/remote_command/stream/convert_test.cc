// Goal: a command is on the wire what it is in the catalog, and nothing else becomes one.
// Method: a table of all commands there and back; messages with single fields missing or strange.
#include "branch/remote_command/stream/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace bank::remote_command {
namespace {

struct Row {
  Command command;
  v1::Command::KindCase kind;
};

TEST(CommandWire, EachCommandThereAndBack) {
  const std::vector<Row> rows = {
      {SetSamplingInterval{500}, v1::Command::kSetSamplingInterval},
      {SetCollector{"cpu", true}, v1::Command::kSetCollector},
      {SetCollector{"disk", false}, v1::Command::kSetCollector},
      {TakeSnapshot{}, v1::Command::kTakeSnapshot},
      {TransferLeadership{}, v1::Command::kTransferLeadership},
      {TransferLeadership{BranchId(4'294'967'295)}, v1::Command::kTransferLeadership},
      {SetLogLevel{"debug"}, v1::Command::kSetLogLevel},
      {ListSessions{7}, v1::Command::kListSessions},
      {TopAccounts{10'000}, v1::Command::kTopAccounts},
      {VerifyDigest{}, v1::Command::kVerifyDigest},
      {HostDiagnostic{"df"}, v1::Command::kHostDiagnostic},
      {std::monostate(), v1::Command::KIND_NOT_SET},
  };
  std::set<v1::Command::KindCase> kinds;
  for (const Row& row : rows) {
    v1::Command wire;
    wire.mutable_top_accounts()->set_limit(99);  // whatever was there before goes
    ToWire(row.command, &wire);
    EXPECT_EQ(wire.kind_case(), row.kind) << Text(row.command);
    EXPECT_EQ(FromWire(wire), row.command) << Text(row.command);
    kinds.insert(row.kind);
  }
  EXPECT_EQ(kinds.size(), static_cast<size_t>(v1::Command::descriptor()->field_count()) + 1)
      << "a command of the wire is not in the table";
}

TEST(CommandWire, AKindThatThisVersionDoesNotKnowIsRefused) {
  v1::Command wire;
  ASSERT_TRUE(wire.ParseFromString("\x9a\x06\x02\x08\x01"));  // field 99, a message
  EXPECT_FALSE(Check(FromWire(wire)).ok());
}

TEST(CommandWire, AnEndKeepsEveryField) {
  v1::CommandResult wire;
  ToWire(Ended{.outcome = telemetry::CommandOutcome::kTimedOut,
               .exit_status = 137,
               .message = "m",
               .truncated = true,
               .started_unix_ns = 1,
               .ended_unix_ns = 2,
               .repeated = true},
         &wire);
  EXPECT_EQ(wire.outcome(), v1::CommandResult::TIMED_OUT);
  EXPECT_EQ(wire.exit_status(), 137);
  EXPECT_EQ(wire.message(), "m");
  EXPECT_TRUE(wire.truncated());
  EXPECT_EQ(wire.started_unix_nanos(), 1);
  EXPECT_EQ(wire.ended_unix_nanos(), 2);
  EXPECT_TRUE(wire.repeated());
  const std::pair<telemetry::CommandOutcome, v1::CommandResult::Outcome> outcomes[] = {
      {telemetry::CommandOutcome::kUnknown, v1::CommandResult::UNKNOWN},
      {telemetry::CommandOutcome::kDone, v1::CommandResult::DONE},
      {telemetry::CommandOutcome::kFailed, v1::CommandResult::FAILED},
      {telemetry::CommandOutcome::kRefused, v1::CommandResult::REFUSED},
      {telemetry::CommandOutcome::kCancelled, v1::CommandResult::CANCELLED},
      {telemetry::CommandOutcome::kTimedOut, v1::CommandResult::TIMED_OUT}};
  for (const auto& [outcome, expected] : outcomes) {
    Ended ended;
    ended.outcome = outcome;
    ToWire(ended, &wire);
    EXPECT_EQ(wire.outcome(), expected);
  }
}

TEST(CommandWire, AnOrderIsWhatTheLeaderAsks) {
  v1::CommandRequest request;
  request.set_id("id");
  request.set_issuer("alice");
  request.set_issued_unix_nanos(5);
  request.mutable_command()->mutable_top_accounts()->set_limit(3);
  Order order = OrderOf(request);
  EXPECT_EQ(order.id, "id");
  EXPECT_EQ(order.issuer, "alice");
  EXPECT_EQ(order.issued_unix_ns, 5);
  EXPECT_EQ(order.command, Command(TopAccounts{3}));
  EXPECT_EQ(order.deadline_ms, kDeadlineMsDefault);
  for (const int64_t deadline_ms : {int64_t{1}, int64_t{-5}, INT64_MAX}) {
    request.set_deadline_ms(deadline_ms);
    EXPECT_EQ(OrderOf(request).deadline_ms, deadline_ms) << "judged by CheckDeadline()";
  }
}

}  // namespace
}  // namespace bank::remote_command
