// Goal: what a branch by logical clocks says arrives as it was said, and nothing malformed gets
// past the edge. Method: there and back through real bytes; then a table of bad fields.
#include "branch/peers/lamport_convert.h"

#include <gtest/gtest.h>

#include <functional>

#include "branch/ledger/command.h"

namespace bank::peers {
namespace {

using namespace replication::lamport;

std::string Entry(int64_t time_ms = 5) {
  std::string batch;
  ledger::AppendCommand({.kind = ledger::Kind::kDeposit, .account = "a", .amount = 1}, &batch);
  return ledger::EncodeEntry({.time_ms = time_ms, .count = 1}, batch);
}

v1::LamportRequest FullRequest() {
  Request request{.from = BranchId(2), .incarnation = 77, .join = true};
  request.processes.push_back({BranchId(3), 12});
  request.writes.push_back({9, {4, 1, BranchId(2)}, Entry(), 5});
  request.decisions.push_back({8, LogIndex(70), 6});
  request.clear = {4, 2, BranchId(3)};
  request.applied = LogIndex(69);
  v1::LamportRequest wire = ToWire(request);
  wire.mutable_hello()->set_branch(2);
  return wire;
}

v1::LamportReply FullReply() {
  Reply reply{.result = Reply::Result::kTaken, .incarnation = 5, .newest = 6, .received = 7};
  reply.decided = 4;
  reply.last_own = {3, 2, BranchId(1)};
  reply.applied = LogIndex(12);
  reply.joined = reply.holds = true;
  reply.state.applied = LogIndex(12);
  reply.state.ledger = "bytes";
  reply.state.delivered = {{BranchId(1), 10}, {BranchId(2), 2}};
  reply.state.pending = {{BranchId(3), {9, {4, 1, BranchId(3)}, Entry(), 0}}};
  reply.state.tail = {{LogIndex(12), BranchId(2), 2}};
  reply.state.highest = {4, 1, BranchId(3)};
  return ToWire(reply);
}

TEST(LamportConvert, ARequestArrivesAsItWasSaid) {
  auto back = FromWire(FullRequest());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->from, BranchId(2));
  v1::LamportRequest again = ToWire(*std::move(back));
  again.mutable_hello()->set_branch(2);
  EXPECT_EQ(again.SerializeAsString(), FullRequest().SerializeAsString());
}

TEST(LamportConvert, AReplyArrivesAsItWasSaid) {
  auto back = FromWire(FullReply());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(ToWire(*std::move(back)).SerializeAsString(), FullReply().SerializeAsString());
}

TEST(LamportConvert, EveryFieldHasARange) {
  constexpr uint64_t kTooHigh = (uint64_t{1} << 62) + 1;
  const std::pair<const char*, std::function<void(v1::LamportRequest&)>> requests[] = {
      {"incarnation", [](auto& wire) { wire.set_incarnation(kTooHigh); }},
      {"processes", [](auto& wire) { wire.mutable_processes(0)->set_incarnation(kTooHigh); }},
      {"sequence", [](auto& wire) { wire.mutable_writes(0)->set_sequence(kTooHigh); }},
      {"stamp", [](auto& wire) { wire.mutable_writes(0)->mutable_stamp()->set_clock(kTooHigh); }},
      {"stamp", [](auto& wire) { wire.mutable_writes(0)->mutable_stamp()->set_minor(kTooHigh); }},
      {"sent_clock", [](auto& wire) { wire.mutable_writes(0)->set_sent_clock(kTooHigh); }},
      {"entry", [](auto& wire) { wire.mutable_writes(0)->set_entry("no entry"); }},
      {"entry", [](auto& wire) { wire.mutable_writes(0)->set_entry(Entry(-1)); }},
      {"entry", [](auto& wire) { wire.mutable_writes(0)->set_entry(Entry(int64_t{1} << 49)); }},
      {"index", [](auto& wire) { wire.mutable_decisions(0)->set_index(kTooHigh); }},
      {"clear", [](auto& wire) { wire.mutable_clear()->set_clock(kTooHigh); }},
      {"applied", [](auto& wire) { wire.set_applied(kTooHigh); }}};
  for (const auto& [field, spoil] : requests) {
    v1::LamportRequest wire = FullRequest();
    spoil(wire);
    EXPECT_EQ(FromWire(wire).status().message(),
              std::string("bad field in a branch's message: ") + field);
  }
  const std::pair<const char*, std::function<void(v1::LamportReply&)>> replies[] = {
      {"result", [](auto& wire) { wire.set_result(static_cast<v1::LamportReply::Result>(3)); }},
      {"newest", [](auto& wire) { wire.set_newest(kTooHigh); }},
      {"last_own", [](auto& wire) { wire.mutable_last_own()->set_minor(kTooHigh); }},
      {"entry", [](auto& wire) { wire.mutable_state()->mutable_pending(0)->set_entry(""); }},
      {"tail", [](auto& wire) { wire.mutable_state()->mutable_tail(0)->set_index(kTooHigh); }},
      {"delivered",
       [](auto& wire) { wire.mutable_state()->mutable_delivered(0)->set_writes(kTooHigh); }}};
  for (const auto& [field, spoil] : replies) {
    v1::LamportReply wire = FullReply();
    spoil(wire);
    EXPECT_EQ(FromWire(wire).status().message(),
              std::string("bad field in a branch's message: ") + field);
  }
}

}  // namespace
}  // namespace bank::peers
