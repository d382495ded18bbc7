// Goal: a dead agent is known as dead soon, and a slow one is not called dead. Method: signs of
// life at chosen times on a clock that the test moves.
#include "tests/support/metric_store_fixture.h"

namespace bank::telemetry {
namespace {

class LivenessTest : public MetricStoreTest {
 protected:
  // Heartbeats, `interval_ns` apart.
  void Live(const AgentPtr& agent, int64_t interval_ns, int signs) {
    for (int i = 0; i < signs; ++i) {
      if (i > 0) Advance(interval_ns);
      EXPECT_TRUE(store_->NoteAlive(agent));
    }
  }
};

TEST_F(LivenessTest, SilenceIsSuspectThenDead) {
  Live(a_, 500 * kMs, 20);
  EXPECT_EQ(LivenessOf("a"), Liveness::kLive);
  Advance(1499 * kMs);
  EXPECT_EQ(LivenessOf("a"), Liveness::kLive);
  Advance(1 * kMs);
  EXPECT_EQ(LivenessOf("a"), Liveness::kSuspect);
  Advance(3499 * kMs);
  EXPECT_EQ(LivenessOf("a"), Liveness::kSuspect);
  Advance(1 * kMs);
  EXPECT_EQ(LivenessOf("a"), Liveness::kDead);
  Live(a_, 0, 1);
  EXPECT_EQ(LivenessOf("a"), Liveness::kLive);
}

TEST_F(LivenessTest, SlowAgentIsGivenItsTime) {
  Live(a_, 10 * kSecond, 8);
  Advance(20 * kSecond);
  EXPECT_EQ(LivenessOf("a"), Liveness::kLive);
  Advance(6 * kSecond);
  EXPECT_EQ(LivenessOf("a"), Liveness::kSuspect);
  Advance(25 * kSecond);
  EXPECT_EQ(LivenessOf("a"), Liveness::kDead);
}

TEST_F(LivenessTest, BrokenConnectionIsSuspectAtOnceAndDeadSoon) {
  Live(a_, 500 * kMs, 20);
  store_->NoteBroken("a");
  Advance(1);
  EXPECT_EQ(LivenessOf("a"), Liveness::kSuspect);
  Advance(798 * kMs);
  EXPECT_EQ(LivenessOf("a"), Liveness::kSuspect);
  Advance(2 * kMs);
  EXPECT_EQ(LivenessOf("a"), Liveness::kDead);
}

TEST_F(LivenessTest, FailingToConnectAgainDoesNotKeepItAlive) {
  Live(a_, 500 * kMs, 20);
  store_->NoteBroken("a");
  Advance(400 * kMs);
  store_->NoteBroken("a");
  Advance(600 * kMs);
  EXPECT_EQ(LivenessOf("a"), Liveness::kDead);
}

TEST_F(LivenessTest, SlowAgentIsDeadSoonTooWhenItsConnectionBroke) {
  Live(a_, 10 * kSecond, 8);
  Advance(kSecond);
  store_->NoteBroken("a");
  Advance(kSecond);
  EXPECT_EQ(LivenessOf("a"), Liveness::kDead);
}

TEST_F(LivenessTest, SignAfterABreakCounts) {
  Live(a_, 500 * kMs, 20);
  store_->NoteBroken("a");
  Advance(200 * kMs);
  Live(a_, 0, 1);
  EXPECT_EQ(LivenessOf("a"), Liveness::kLive);
  Advance(1400 * kMs);
  EXPECT_EQ(LivenessOf("a"), Liveness::kLive);
}

TEST_F(LivenessTest, HistoryIsNoSignOfLife) {
  store_->AddBatch(MakeBatch(a_, 1), MetricStore::Heard::kPast);
  EXPECT_EQ(LivenessOf("a"), Liveness::kDead);
  store_->AddBatch(MakeBatch(a_, 2), MetricStore::Heard::kNow);
  EXPECT_EQ(LivenessOf("a"), Liveness::kLive);
}

TEST_F(LivenessTest, MastersWordIsTakenAndAges) {
  replication::ReplicatorStatus status;
  status.term = Term(4);
  store_->NoteLife(a_, {.heard_ns = clock_.now_ns - 300 * kMs, .interval_ns = 500 * kMs}, status);
  EXPECT_EQ(LivenessOf("a"), Liveness::kLive);
  EXPECT_EQ(store_->Agents().at(0).status->term, Term(4));
  Advance(1200 * kMs);
  EXPECT_EQ(LivenessOf("a"), Liveness::kSuspect);
  store_->NoteLife(a_, {.heard_ns = clock_.now_ns}, std::nullopt);
  EXPECT_EQ(LivenessOf("a"), Liveness::kLive);
  store_->NoteLife(a_, {.heard_ns = clock_.now_ns - 1, .broken_ns = clock_.now_ns + 1}, {});
  EXPECT_EQ(LivenessOf("a"), Liveness::kSuspect);
  Advance(kSecond + 1);
  EXPECT_EQ(LivenessOf("a"), Liveness::kDead);
}

TEST_F(LivenessTest, StaleWordChangesNothing) {
  Live(a_, 0, 1);
  store_->NoteLife(
      a_, {.heard_ns = clock_.now_ns - 9 * kSecond, .broken_ns = clock_.now_ns - 8 * kSecond}, {});
  EXPECT_EQ(LivenessOf("a"), Liveness::kLive);
}

TEST_F(LivenessTest, AnOlderStatusDoesNotReplaceTheNewer) {
  replication::ReplicatorStatus status;
  status.term = Term(5);
  store_->NoteLife(a_, {.heard_ns = clock_.now_ns}, status);
  status.term = Term(4);
  store_->NoteLife(a_, {.heard_ns = clock_.now_ns - 1}, status);
  EXPECT_EQ(store_->Agents().at(0).status->term, Term(5));
  status.term = Term(6);
  store_->NoteLife(a_, {.heard_ns = clock_.now_ns}, status);
  EXPECT_EQ(store_->Agents().at(0).status->term, Term(6));
}

TEST_F(LivenessTest, SortedByBranchThenName) {
  for (const auto& agent :
       {MakeAgent("x"), MakeAgent("branch-10", 10), MakeAgent("branch-2", 2), MakeAgent("c")}) {
    store_->NoteAlive(agent);
  }
  std::string names;
  for (const AgentView& view : store_->Agents()) names += view.agent->name + " ";
  EXPECT_EQ(names, "branch-2 branch-10 c x ");
}

TEST_F(LivenessTest, AgentsAreBoundedAndTheLongestDeadIsForgotten) {
  Make({.agents_max = 2});
  Live(a_, 0, 1);
  Advance(kSecond);
  Live(b_, 0, 1);
  EXPECT_FALSE(store_->NoteAlive(MakeAgent("c")));
  store_->AddBatch(MakeBatch(MakeAgent("c"), 1));
  EXPECT_EQ(store_->Agents().size(), 2u);
  Advance(6 * kSecond);
  EXPECT_TRUE(store_->NoteAlive(MakeAgent("c")));
  EXPECT_EQ(store_->Agents().size(), 2u);
  EXPECT_EQ(LivenessOf("b"), Liveness::kDead);
}

TEST_F(LivenessTest, NewIncarnationLives) {
  Live(a_, 500 * kMs, 3);
  store_->NoteBroken("a");
  Advance(3 * kSecond);
  EXPECT_EQ(LivenessOf("a"), Liveness::kDead);
  EXPECT_TRUE(store_->NoteAlive(MakeAgent("a", 1, 2)));
  EXPECT_EQ(LivenessOf("a"), Liveness::kLive);
}

}  // namespace
}  // namespace bank::telemetry
