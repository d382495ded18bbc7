// Goal: a branch is ready once, when it has read at a quorum and the bank is founded; the leader
// founds it, whatever goes wrong before.
// Method: the fake replicator; the test changes what it says and awaits the callback.
#include "branch/node/readiness.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/unit/rpc/fake_replicator.h"

namespace bank::node {
namespace {

using replication::FakeReplicator;
using replication::Role;

class ReadinessTest : public ::testing::Test {
 protected:
  std::future<void> Start() {
    readiness_ =
        std::make_unique<Readiness>(replicator_, clock_, 400, [this] { ready_.set_value(); });
    return ready_.get_future();
  }
  static bool Soon(std::future<void>& future) {
    return future.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
  }
  static bool NotYet(std::future<void>& future) {
    return future.wait_for(std::chrono::milliseconds(60)) == std::future_status::timeout;
  }

  SteadyClock clock_;
  FakeReplicator replicator_;
  std::promise<void> ready_;
  std::unique_ptr<Readiness> readiness_;
};

TEST_F(ReadinessTest, LeaderFoundsTheBank) {
  auto ready = Start();
  ASSERT_TRUE(Soon(ready));
  EXPECT_EQ(replicator_.Query(ledger::kSharedAccount).balance, 400);
}

TEST_F(ReadinessTest, FollowerWaitsForTheFounding) {
  replicator_.SetStatus(Role::kFollower, true);
  auto ready = Start();
  EXPECT_TRUE(NotYet(ready));
  EXPECT_EQ(replicator_.GetStatus().ledger.position, Position(0));
  replicator_.SetStatus(Role::kLeader, true);  // the old leader is gone: this one founds
  EXPECT_TRUE(Soon(ready));
}

TEST_F(ReadinessTest, FoundsAgainAfterAnUnknownFate) {
  replicator_.SetFate(replication::Fate::kUnknown);
  auto ready = Start();
  EXPECT_TRUE(NotYet(ready));
  replicator_.SetFate(replication::Fate::kApplied);
  ASSERT_TRUE(Soon(ready));
  EXPECT_EQ(replicator_.Query(ledger::kSharedAccount).balance, 400);
}

TEST_F(ReadinessTest, WaitsForTheQuorum) {
  replicator_.SetRead(absl::UnavailableError("no leader"));
  auto ready = Start();
  EXPECT_TRUE(NotYet(ready));
  replicator_.SetRead(absl::OkStatus());
  EXPECT_TRUE(Soon(ready));
}

TEST_F(ReadinessTest, StopsWithoutBeingReady) {
  replicator_.SetStatus(Role::kFollower, false);
  auto ready = Start();
  readiness_->Stop();
  EXPECT_TRUE(NotYet(ready));
}

}  // namespace
}  // namespace bank::node
