// Goal: a branch serves when it has read at a quorum and the bank is founded; the leader founds it,
// whatever goes wrong before. It stops serving while the quorum is silent, and begins again.
// Method: the fake replicator; the test changes what it says and awaits the callback.
#include "branch/node/readiness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/synchronization/mutex.h"

#include "tests/support/fake_replicator.h"

namespace bank::node {
namespace {

using replication::FakeReplicator;
using replication::Role;
using ::testing::HasSubstr;

class ReadinessTest : public ::testing::Test {
 protected:
  void Start() {
    readiness_ = std::make_unique<Readiness>(
        replicator_, clock_,
        Readiness::Options{.initial_balance = 400, .patience = std::chrono::milliseconds(40)},
        [this](bool serves) {
          absl::MutexLock lock(&mutex_);
          EXPECT_NE(serves, serves_);
          serves_ = serves;
        });
  }
  bool Becomes(bool serves) {
    absl::MutexLock lock(&mutex_);
    const auto there = [&] { return serves_ == serves; };
    return mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(10));
  }
  bool Soon() { return Becomes(true); }
  // It has asked the replicator anew, from the first question to the last, and does not serve.
  bool NotYet() {
    replicator_.AwaitReads(3);
    absl::MutexLock lock(&mutex_);
    return !serves_;
  }

  SteadyClock clock_;
  FakeReplicator replicator_;
  absl::Mutex mutex_;
  bool serves_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<Readiness> readiness_;
};

TEST_F(ReadinessTest, LeaderFoundsTheBank) {
  Start();
  ASSERT_TRUE(Soon());
  EXPECT_EQ(replicator_.Query(ledger::kSharedAccount).balance, 400);
}

TEST_F(ReadinessTest, FollowerWaitsForTheFounding) {
  replicator_.SetStatus(Role::kFollower, true);
  Start();
  EXPECT_TRUE(NotYet());
  EXPECT_EQ(replicator_.GetStatus().ledger.position, Position(0));
  replicator_.SetStatus(Role::kLeader, true);  // the old leader is gone: this one founds
  EXPECT_TRUE(Soon());
}

TEST_F(ReadinessTest, FoundsAgainAfterAnUnknownFate) {
  replicator_.SetFate(replication::Fate::kUnknown);
  Start();
  EXPECT_TRUE(NotYet());
  replicator_.SetFate(replication::Fate::kApplied);
  ASSERT_TRUE(Soon());
  EXPECT_EQ(replicator_.Query(ledger::kSharedAccount).balance, 400);
}

TEST_F(ReadinessTest, WaitsForTheQuorum) {
  replicator_.SetRead(absl::UnavailableError("no leader"));
  Start();
  EXPECT_TRUE(NotYet());
  replicator_.SetRead(absl::OkStatus());
  EXPECT_TRUE(Soon());
}

TEST_F(ReadinessTest, EndsWhileTheQuorumIsSilent) {
  Start();
  ASSERT_TRUE(Soon());
  for (int time = 0; time < 2; ++time) {
    replicator_.SetRead(absl::UnavailableError("no leader"));
    EXPECT_TRUE(Becomes(false));
    EXPECT_TRUE(NotYet());
    replicator_.SetRead(absl::OkStatus());
    EXPECT_TRUE(Soon());
  }
}

TEST(WhatIsAwaited, NamesTheWayOut) {
  replication::ReplicatorStatus status;
  EXPECT_THAT(WhatIsAwaited(status), HasSubstr("reaches no quorum"));
  status.rebuilding = true;
  EXPECT_THAT(WhatIsAwaited(status), HasSubstr("put the files of one back"));
  status.rebuilding = false;
  status.bootstrapping = true;
  EXPECT_THAT(WhatIsAwaited(status), HasSubstr("four of five"));
}

TEST_F(ReadinessTest, StopsWithoutBeingReady) {
  replicator_.SetStatus(Role::kFollower, false);
  Start();
  EXPECT_TRUE(NotYet());
  readiness_->Stop();
  absl::MutexLock lock(&mutex_);
  EXPECT_FALSE(serves_);
}

}  // namespace
}  // namespace bank::node
