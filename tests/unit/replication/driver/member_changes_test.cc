// Goal: one operator's change takes the right step in every situation. Method: what a leader knows
// is made up; one row per step.
#include "branch/replication/driver/member_changes.h"

#include <gtest/gtest.h>

#include <optional>

#include "branch/replication/engine/configuration.h"

namespace bank::replication {
namespace {

using What = ChangeStep::What;

class MemberChangesTest : public ::testing::Test {
 protected:
  MemberChangesTest() {
    for (uint64_t id : {1, 2, 3}) Add(id, true);
    facts.settled = true;
  }

  void Add(uint64_t id, bool voter) {
    facts.peers.push_back({.member = {BranchId(id), "host:" + std::to_string(id), voter},
                           .answers = true,
                           .holds_change = true,
                           .in_step = true});
  }
  void Begin(uint64_t id, MemberTarget target, std::string address = "") {
    changes.Begin({BranchId(id), target, std::move(address)}, 1'000,
                  [this](ChangeResult r) { result = std::move(r); });
  }
  What Next() {
    step = changes.Next(facts);
    due.Run();
    return step.what;
  }
  // The engine takes what was proposed, and it is committed.
  void Commit(LogIndex index) {
    changes.Submitted(CORE_OK, index);
    EXPECT_EQ(Next(), What::kNothing) << "it is in the log";
    facts.peers.clear();
    for (const Member& member : step_members) {
      facts.peers.push_back({member, true, true, true});
    }
    changes.OnCommitted(index, step_members);
    due.Run();
  }
  What Propose() {
    const What what = Next();
    if (what == What::kSubmit) step_members = step.members;
    return what;
  }

  Completions due;
  MemberChanges changes{due};
  ChangeFacts facts;
  ChangeStep step;
  std::vector<Member> step_members;
  std::optional<ChangeResult> result;
};

TEST_F(MemberChangesTest, JoinsStepByStep) {
  Begin(4, MemberTarget::kVoter, "host:4");
  ASSERT_EQ(Propose(), What::kSubmit);
  EXPECT_EQ(*FindMember(step_members, BranchId(4)), (Member{BranchId(4), "host:4", false}));
  Commit(LogIndex(7));
  EXPECT_FALSE(result.has_value());
  ASSERT_EQ(Next(), What::kCatchUp);
  EXPECT_EQ(step.branch, BranchId(4));
  changes.CatchUpBegun(CORE_OK);
  facts.catch_up = CORE_CATCH_UP_RUNNING;
  EXPECT_EQ(Next(), What::kNothing);
  facts.catch_up = CORE_CATCH_UP_ABORTED;
  ASSERT_EQ(Next(), What::kCatchUp) << "once more";
  changes.CatchUpBegun(CORE_OK);
  facts.catch_up = CORE_CATCH_UP_FINISHED;
  facts.peers[1].answers = false;
  EXPECT_EQ(Next(), What::kNothing);
  EXPECT_EQ(changes.waits_for(), "branch 2 votes and does not answer");
  facts.peers[3].in_step = false;
  EXPECT_EQ(Next(), What::kCatchUp) << "it fell back meanwhile";
  changes.CatchUpBegun(CORE_UP_TO_DATE);
  facts.peers[1].answers = facts.peers[3].in_step = true;
  ASSERT_EQ(Propose(), What::kSubmit);
  EXPECT_TRUE(FindMember(step_members, BranchId(4))->voter);
  Commit(LogIndex(9));
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->fate, ChangeFate::kDone);
  EXPECT_EQ(result->index, LogIndex(9));
  EXPECT_FALSE(changes.running());
}

TEST_F(MemberChangesTest, TheOneThatLosesItsVoteNeedNotAnswer) {
  facts.peers[2].answers = facts.peers[2].holds_change = false;
  Begin(3, MemberTarget::kGone);
  ASSERT_EQ(Propose(), What::kSubmit);
  EXPECT_EQ(step_members.size(), 2u);
}

TEST_F(MemberChangesTest, WaitsForWhatStandsAgainstIt) {
  Begin(3, MemberTarget::kStandby);
  facts.settled = false;
  EXPECT_EQ(Next(), What::kNothing);
  EXPECT_EQ(changes.waits_for(), "the change before it is not committed");
  facts.settled = true;
  facts.transferring = true;
  EXPECT_EQ(Next(), What::kNothing);
  EXPECT_EQ(changes.waits_for(), "the leadership is being transferred");
  facts.transferring = false;
  facts.peers[0].holds_change = false;
  EXPECT_EQ(Next(), What::kNothing);
  EXPECT_EQ(changes.waits_for(), "branch 1 votes and does not hold the last change yet");
  changes.Expire(1'000);
  due.Run();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->fate, ChangeFate::kRefused);
  EXPECT_EQ(result->reason, "branch 1 votes and does not hold the last change yet");
}

TEST_F(MemberChangesTest, WhatTheEngineRefusesIsTriedAgainOrRefused) {
  Begin(4, MemberTarget::kStandby, "host:4");
  for (const core_status status : {CORE_NOT_YET, CORE_BUSY}) {
    ASSERT_EQ(Next(), What::kSubmit);
    changes.Submitted(status, LogIndex(0));
    EXPECT_TRUE(changes.running());
  }
  ASSERT_EQ(Next(), What::kSubmit);
  changes.Submitted(CORE_MALFORMED, LogIndex(0));
  due.Run();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->fate, ChangeFate::kRefused);
}

TEST_F(MemberChangesTest, InTheLogItIsUnknownAndBeforeItIsRefused) {
  for (const bool in_log : {false, true}) {
    Begin(4, MemberTarget::kStandby, "host:4");
    ASSERT_EQ(Next(), What::kSubmit);
    if (in_log) changes.Submitted(CORE_OK, LogIndex(7));
    changes.OnLeadershipLost();
    due.Run();
    ASSERT_TRUE(result.has_value());
    EXPECT_EQ(result->fate, in_log ? ChangeFate::kUnknown : ChangeFate::kRefused);
    result.reset();
  }
}

}  // namespace
}  // namespace bank::replication
