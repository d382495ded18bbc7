// Project 2's outputs from events that are written down here.
#include "customer/script/logical_clocks.h"

#include <gtest/gtest.h>

namespace bank::script {
namespace {

using What = BranchEvent::What;

// One deposit of customer 1 at branch 1, propagated to branch 2.
Script OneWrite() {
  Script script;
  script.branches = {BranchId(1), BranchId(2)};
  Entry entry;
  entry.customer = 1;
  entry.operations.push_back(
      {.interface = Interface::kDeposit, .money = 10, .branch = BranchId(1), .id = 11});
  script.entries.push_back(entry);
  return script;
}
std::vector<EntryAnswers> Answers() {
  Answer answer{.interface = Interface::kDeposit, .success = true};
  answer.session = SessionId(5);
  answer.sequence = 1;
  return {{1, {answer}}};
}
BranchEvent Event(What what, uint64_t clock, uint64_t partner, uint64_t session = 5) {
  return {what, clock, BranchId(partner), SessionId(session), 1};
}
BranchEvents Events() {
  return {{BranchId(1),
           {Event(What::kReceivedFromCustomer, 2, 0), Event(What::kSentToBranch, 3, 2),
            Event(What::kReceivedFromCustomer, 4, 0, 99), Event(What::kAnsweredByBranch, 4, 2)}},
          {BranchId(2), {Event(What::kReceivedFromBranch, 4, 1)}}};
}

TEST(LogicalClocks, ThreePartsInTheCoursesWords) {
  const ClockParts parts = FormatClocks(OneWrite(), Answers(), Events());
  EXPECT_EQ(parts.customers,
            R"({"id":1,"type":"customer","events":[{"customer-request-id":11,"logical_clock":1,)"
            R"("interface":"deposit","comment":"event_sent from customer 1"}]})");
  EXPECT_EQ(
      parts.branches,
      R"({"id":1,"type":"branch","events":[{"customer-request-id":11,"logical_clock":2,)"
      R"("interface":"deposit","comment":"event_recv from customer 1"},{"customer-request-id":11,)"
      R"("logical_clock":3,"interface":"propogate_deposit","comment":"event_sent to branch 2"}]},)"
      R"({"id":2,"type":"branch","events":[{"customer-request-id":11,"logical_clock":4,)"
      R"("interface":"propogate_deposit","comment":"event_recv from branch 1"}]})");
  EXPECT_EQ(parts.flat.substr(0, 121),
            R"({"id":1,"customer-request-id":11,"type":"customer","logical_clock":1,)"
            R"("interface":"deposit","comment":"event_sent from cus)");
  EXPECT_EQ(JoinParts({"a", "b", "c"}), "[a,b,c]\n");
  EXPECT_EQ(JoinParts({"a", "", ""}), "[a]\n");
}

TEST(LogicalClocks, BlocksOf2021CountTheirOwnEvents) {
  const std::string expected =
      R"([{"pid":1,"data":[{"id":11,"name":"deposit_request","clock":2},)"
      R"({"id":11,"name":"deposit_execute","clock":3},)"
      R"({"id":11,"name":"deposit_propagate_response","clock":6},)"
      R"({"id":11,"name":"deposit_response","clock":7}]},)"
      R"({"pid":2,"data":[{"id":11,"name":"deposit_propagate_request","clock":4},)"
      R"({"id":11,"name":"deposit_propagate_execute","clock":5}]},)"
      R"({"eventid":11,"data":[{"clock":2,"name":"deposit_request"},)"
      R"({"clock":3,"name":"deposit_execute"},{"clock":4,"name":"deposit_propagate_request"},)"
      R"({"clock":5,"name":"deposit_propagate_execute"},)"
      R"({"clock":6,"name":"deposit_propagate_response"},{"clock":7,"name":"deposit_response"}]}])"
      "\n";
  auto blocks = FormatClockBlocks(OneWrite(), Answers(), Events());
  ASSERT_TRUE(blocks.ok()) << blocks.status();
  EXPECT_EQ(*blocks, expected);
  // The same if the answer was still on its way when the events were asked for.
  BranchEvents early = Events();
  early[BranchId(1)].pop_back();
  blocks = FormatClockBlocks(OneWrite(), Answers(), early);
  ASSERT_TRUE(blocks.ok()) << blocks.status();
  EXPECT_EQ(*blocks, expected);
}

TEST(LogicalClocks, WhatNobodySentIsNoOrder) {
  BranchEvents events = Events();
  events[BranchId(1)].erase(events[BranchId(1)].begin() + 1);
  EXPECT_EQ(FormatClockBlocks(OneWrite(), Answers(), events).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace bank::script
