// Goal: proposals are gathered, retried only where that is harmless, and answered exactly once with
// what is certain.
// Method: a route and a clock in the test's hands; one thread.
#include "branch/replication/route/forwarder.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/fake_transport.h"

namespace bank::replication {
namespace {

class ForwarderTest : public testing::Test {
 protected:
  struct Proposal {
    std::vector<ProposeResult> results;
    Fate fate() const { return results.at(0).fate; }
  };

  Proposal& Propose(std::string batch, uint64_t count = 1, int64_t timeout_ms = 5000) {
    proposals_.push_back(std::make_unique<Proposal>());
    Proposal& proposal = *proposals_.back();
    forwarder_.Propose(std::move(batch), count, clock_.now_ns + timeout_ms * kNsPerMs,
                       [&proposal](ProposeResult r) { proposal.results.push_back(std::move(r)); });
    return proposal;
  }
  // Answers with outcomes whose balances count up from `balance`.
  static ForwardResult Applied(uint64_t count, int64_t balance = 1) {
    ForwardResult result;
    result.fate = Fate::kApplied;
    for (uint64_t i = 0; i < count; ++i) {
      result.outcomes.push_back(
          {ledger::Code::kOk, false, Position(i + 1), balance + static_cast<int64_t>(i)});
    }
    return result;
  }
  static ForwardResult Failed(Fate fate) { return {fate, {}, "because", {}, {}}; }
  void PassMs(int64_t ms) {
    clock_.now_ns += ms * kNsPerMs;
    if (forwarder_.NextDeadlineNs() <= clock_.now_ns) forwarder_.OnTimer(clock_.now_ns);
  }
  void TearDown() override {
    forwarder_.Stop();
    for (const auto& proposal : proposals_) EXPECT_EQ(proposal->results.size(), 1u);
  }

  TestClock clock_{kNsPerS};
  FakeTransport transport_;
  ForwarderOptions options_{.calls_max = 2,
                            .further_call_commands_min = 1,
                            .call_commands_max = 6,
                            .waiting_bytes_max = 20};
  Forwarder forwarder_{options_, clock_, transport_};
  std::vector<std::unique_ptr<Proposal>> proposals_;
};

TEST_F(ForwarderTest, WaitsForALeaderThenSendsEverythingInOneCall) {
  Proposal& a = Propose("a");
  Proposal& b = Propose("bb", 2);
  EXPECT_TRUE(transport_.submitted.empty());
  forwarder_.OnLeader(BranchId(3));
  ASSERT_EQ(transport_.submitted.size(), 1u);
  auto call = transport_.Take();
  EXPECT_EQ(call.leader, BranchId(3));
  EXPECT_EQ(call.request.batch, "abb");
  EXPECT_EQ(call.request.count, 3u);
  EXPECT_EQ(call.request.timeout_ms, 5000);
  call.done(Applied(3, 10));
  ASSERT_EQ(a.results.at(0).outcomes.size(), 1u);
  EXPECT_EQ(a.results[0].outcomes[0].balance, 10);
  ASSERT_EQ(b.results.at(0).outcomes.size(), 2u);
  EXPECT_EQ(b.results[0].outcomes[1].balance, 12);
}

TEST_F(ForwarderTest, GathersWhileCallsAreUnderWay) {
  forwarder_.OnLeader(BranchId(1));
  Propose("a");
  Propose("b");  // a second call may go
  Propose("c");
  Propose("d");
  ASSERT_EQ(transport_.submitted.size(), 2u);
  auto first = transport_.Take();
  first.done(Applied(1));
  ASSERT_EQ(transport_.submitted.size(), 2u);
  EXPECT_EQ(transport_.submitted[1].request.batch, "cd");
  while (!transport_.submitted.empty()) {
    auto call = transport_.Take();
    call.done(Applied(call.request.count));
  }
}

TEST_F(ForwarderTest, ALargeCallIsNotFollowedByATinyOne) {
  Propose("abcd", 4);
  forwarder_.OnLeader(BranchId(1));
  Propose("e");
  EXPECT_EQ(transport_.submitted.size(), 1u);
  Propose("f");
  ASSERT_EQ(transport_.submitted.size(), 2u);
  EXPECT_EQ(transport_.submitted[1].request.batch, "ef");
}

TEST_F(ForwarderTest, ASmallFurtherCallWaitsForTheFirst) {
  Forwarder forwarder({.further_call_commands_min = 3}, clock_, transport_);
  forwarder.OnLeader(BranchId(1));
  int answers = 0;
  const auto count = [&answers](const ProposeResult&) { ++answers; };
  for (const char* op : {"a", "b", "c"}) forwarder.Propose(op, 1, clock_.now_ns + kNsPerMs, count);
  EXPECT_EQ(transport_.submitted.size(), 1u);
  forwarder.Propose("d", 1, clock_.now_ns + kNsPerMs, count);
  ASSERT_EQ(transport_.submitted.size(), 2u);
  EXPECT_EQ(transport_.submitted[1].request.batch, "bcd");
  forwarder.Stop();
  EXPECT_EQ(answers, 4);
}

TEST_F(ForwarderTest, AfterALargeCallASmallOneWaitsForCompany) {
  forwarder_.OnLeader(BranchId(1));
  Propose("abcd", 4);
  transport_.Take().done(Applied(4));
  Propose("e");
  EXPECT_TRUE(transport_.submitted.empty());
  Propose("f");
  ASSERT_EQ(transport_.submitted.size(), 1u);
  EXPECT_EQ(transport_.submitted[0].request.batch, "ef");
}

TEST_F(ForwarderTest, NobodyWaitsForCompanyForLong) {
  forwarder_.OnLeader(BranchId(1));
  Propose("abcd", 4);
  transport_.Take().done(Applied(4));
  Propose("e");
  PassMs(1);
  EXPECT_TRUE(transport_.submitted.empty());
  PassMs(1);
  ASSERT_EQ(transport_.submitted.size(), 1u);
  transport_.Take().done(Applied(1));
  Propose("f");  // alone from now on
  EXPECT_EQ(transport_.submitted.size(), 1u);
}

// Found by the simulation: the loop asked again and again, without a pause, until a leader was
// known.
TEST_F(ForwarderTest, AWaitForCompanyThatIsOverDoesNotWakeAgainAndAgain) {
  forwarder_.OnLeader(BranchId(1));
  Propose("abcd", 4);
  transport_.Take().done(Applied(4));
  Propose("e");
  forwarder_.OnLeader(BranchId(0));
  PassMs(3);
  EXPECT_TRUE(transport_.submitted.empty());
  EXPECT_GT(forwarder_.NextDeadlineNs(), clock_.now_ns);
  forwarder_.OnLeader(BranchId(1));
  EXPECT_EQ(transport_.submitted.size(), 1u);
}

TEST_F(ForwarderTest, CallsHaveAMaximum) {
  Propose("abcd", 4);
  Propose("efg", 3);
  forwarder_.OnLeader(BranchId(1));
  ASSERT_EQ(transport_.submitted.size(), 2u);
  EXPECT_EQ(transport_.submitted[0].request.count, 4u);
  EXPECT_EQ(transport_.submitted[1].request.count, 3u);
}

TEST_F(ForwarderTest, ACertainRefusalIsTriedAgainAndStaysCertain) {
  forwarder_.OnLeader(BranchId(1));
  Proposal& a = Propose("a");
  transport_.Take().done(Failed(Fate::kNotApplied));
  EXPECT_TRUE(transport_.submitted.empty()) << "the same leader gets a pause";
  PassMs(30);
  ASSERT_EQ(transport_.submitted.size(), 1u);
  transport_.Take().done(Failed(Fate::kNotApplied));
  forwarder_.OnLeader(BranchId(0));
  PassMs(5000);
  EXPECT_EQ(a.fate(), Fate::kNotApplied);
}

TEST_F(ForwarderTest, OneUncertainAttemptMakesItUnknown) {
  forwarder_.OnLeader(BranchId(1));
  Proposal& a = Propose("a");
  transport_.Take().done(Failed(Fate::kUnknown));
  PassMs(30);
  transport_.Take().done(Failed(Fate::kNotApplied));
  forwarder_.OnLeader(BranchId(0));
  PassMs(5000);
  EXPECT_EQ(a.fate(), Fate::kUnknown);
}

// Found by the simulation: the first attempt was applied, its session expired, and the second one's
// answer, which is certain of the second alone, was told as if the write had never been made; the
// teller made it again under a new key.
TEST_F(ForwarderTest, AfterAnUncertainAttemptALostSessionMakesItUnknown) {
  for (const ledger::Code lost : {ledger::Code::kUnknownSession, ledger::Code::kForgotten}) {
    forwarder_.OnLeader(BranchId(1));
    Proposal& a = Propose("a");
    transport_.Take().done(Failed(Fate::kUnknown));
    Proposal& b = Propose("b");
    PassMs(30);
    ASSERT_EQ(transport_.submitted.size(), 1u);
    ForwardResult answer = Applied(2);
    answer.outcomes[0].code = answer.outcomes[1].code = lost;
    transport_.Take().done(std::move(answer));
    EXPECT_EQ(a.fate(), Fate::kUnknown);
    EXPECT_EQ(b.fate(), Fate::kApplied) << "it was sent once";
  }
}

// Whether a replayed outcome may be this call's own: only if an attempt before the answered one may
// have come through.
TEST_F(ForwarderTest, TellsWhetherAnEarlierAttemptMayHaveComeThrough) {
  forwarder_.OnLeader(BranchId(1));
  Proposal& once = Propose("a");
  transport_.Take().done(Applied(1));
  EXPECT_FALSE(once.results.at(0).repeated);

  Proposal& refused_before = Propose("b");
  transport_.Take().done(Failed(Fate::kNotApplied));
  PassMs(30);
  transport_.Take().done(Applied(1));
  EXPECT_FALSE(refused_before.results.at(0).repeated);

  Proposal& broken_before = Propose("c");
  transport_.Take().done(Failed(Fate::kUnknown));
  PassMs(300);
  transport_.Take().done(Applied(1));
  EXPECT_TRUE(broken_before.results.at(0).repeated);

  Proposal& under_way = Propose("d");
  ASSERT_EQ(transport_.submitted.size(), 1u);
  auto late = transport_.Take();
  forwarder_.OnLeader(BranchId(2));
  transport_.Take().done(Applied(1));
  EXPECT_TRUE(under_way.results.at(0).repeated);
  late.done(Applied(1));
}

TEST_F(ForwarderTest, UnderWayAtTheDeadlineIsUnknown) {
  forwarder_.OnLeader(BranchId(1));
  Proposal& a = Propose("a", 1, 100);
  Proposal& b = Propose("b", 1, 5000);
  PassMs(100);
  EXPECT_EQ(a.fate(), Fate::kUnknown);
  EXPECT_TRUE(b.results.empty());
  while (!transport_.submitted.empty()) {
    auto call = transport_.Take();
    call.done(Applied(call.request.count));
  }
  EXPECT_EQ(b.fate(), Fate::kApplied);
}

TEST_F(ForwarderTest, WhoeverGivesUpLeavesTheOthersTheirOwnOutcomes) {
  Propose("aa", 2, 100);
  Proposal& b = Propose("b");
  forwarder_.OnLeader(BranchId(1));
  PassMs(100);
  transport_.Take().done(Applied(3, 10));
  EXPECT_EQ(b.results.at(0).outcomes.at(0).balance, 12);
}

TEST_F(ForwarderTest, NeverSentIsNotApplied) {
  Proposal& a = Propose("a", 1, 100);
  PassMs(100);
  EXPECT_EQ(a.fate(), Fate::kNotApplied);
}

TEST_F(ForwarderTest, ANewLeaderGetsWhatTheOldOneDidNotAnswer) {
  forwarder_.OnLeader(BranchId(1));
  Proposal& a = Propose("a");
  auto old = transport_.Take();
  forwarder_.OnLeader(BranchId(0));
  EXPECT_TRUE(transport_.submitted.empty());
  forwarder_.OnLeader(BranchId(2));
  ASSERT_EQ(transport_.submitted.size(), 1u);
  EXPECT_EQ(transport_.submitted[0].leader, BranchId(2));
  EXPECT_EQ(transport_.submitted[0].request.batch, "a");
  old.done(Applied(1, 7));  // late: the second attempt answers
  EXPECT_TRUE(a.results.empty());
  transport_.Take().done(Applied(1, 7));
  EXPECT_EQ(a.fate(), Fate::kApplied);
}

TEST_F(ForwarderTest, WhatTheOldLeaderMayHaveTakenIsUnknownWhateverTheNewOneSays) {
  forwarder_.OnLeader(BranchId(1));
  Proposal& a = Propose("a", 1, 100);
  Proposal& b = Propose("b");
  forwarder_.OnLeader(BranchId(2));
  while (!transport_.submitted.empty()) transport_.Take().done(Failed(Fate::kNotApplied));
  PassMs(100);
  EXPECT_EQ(a.fate(), Fate::kUnknown);
  while (!transport_.submitted.empty()) transport_.Take().done(Failed(Fate::kNotApplied));
  forwarder_.Stop();  // while it waits to be sent again
  EXPECT_EQ(b.fate(), Fate::kUnknown);
}

TEST_F(ForwarderTest, TheSameLeaderAgainKeepsItsCalls) {
  forwarder_.OnLeader(BranchId(1));
  Proposal& a = Propose("a");
  forwarder_.OnLeader(BranchId(0));
  forwarder_.OnLeader(BranchId(1));
  EXPECT_EQ(transport_.submitted.size(), 1u);
  transport_.Take().done(Applied(1));
  EXPECT_EQ(a.fate(), Fate::kApplied);
}

TEST_F(ForwarderTest, RetriesKeepTheOrder) {
  forwarder_.OnLeader(BranchId(1));
  Propose("a");
  Propose("b");
  Propose("c");
  forwarder_.OnLeader(BranchId(2));
  ASSERT_EQ(transport_.submitted.size(), 3u);
  EXPECT_EQ(transport_.submitted[2].request.batch, "abc");
}

TEST_F(ForwarderTest, AFullQueueRefuses) {
  Proposal& a = Propose(std::string(20, 'a'));
  Proposal& b = Propose("b");
  EXPECT_TRUE(a.results.empty());
  EXPECT_EQ(b.fate(), Fate::kNotApplied);
  forwarder_.OnLeader(BranchId(1));  // takes what waits
  Proposal& c = Propose(std::string(20, 'c'));
  EXPECT_TRUE(c.results.empty());
  while (!transport_.submitted.empty()) {
    auto call = transport_.Take();
    call.done(Applied(call.request.count));
  }
  EXPECT_EQ(c.fate(), Fate::kApplied);
}

TEST_F(ForwarderTest, AnswersOfTheWrongSizeAreNoAnswers) {
  forwarder_.OnLeader(BranchId(1));
  Proposal& a = Propose("a");
  transport_.Take().done(Applied(2));
  EXPECT_TRUE(a.results.empty());
  PassMs(5000);
  EXPECT_EQ(a.fate(), Fate::kUnknown);
}

TEST_F(ForwarderTest, StopAnswersEverything) {
  forwarder_.OnLeader(BranchId(1));
  Proposal& sent = Propose("a");
  Propose("b");
  Proposal& waiting = Propose("c");
  forwarder_.Stop();
  EXPECT_EQ(sent.fate(), Fate::kUnknown);
  EXPECT_EQ(waiting.fate(), Fate::kNotApplied);
  EXPECT_EQ(Propose("d").fate(), Fate::kNotApplied);
  transport_.Take().done(Applied(1));  // late
}

TEST_F(ForwarderTest, OnlyAnEarlierDeadlineWakes) {
  Propose("a", 1, 100);
  Propose("b", 1, 200);
  Propose("c", 1, 50);
  EXPECT_EQ(transport_.wakes.size(), 2u);
}

}  // namespace
}  // namespace bank::replication
