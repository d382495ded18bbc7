// Goal: three real branches go on through the loss of any one of them: nothing acknowledged is
// lost, nothing is applied twice, no read is stale.
// Method: one process, real threads and sockets, disks in memory; conditions awaited, not times.
#include "branch/replication/runtime/raft_replicator.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "absl/synchronization/notification.h"
#include "branch/ledger/command.h"
#include "tests/support/raft_cluster.h"

namespace bank::replication {
namespace {

constexpr int64_t kPatienceNs = 20'000'000'000;

class RaftReplicatorTest : public testing::Test {
 protected:
  struct Write {
    absl::Notification answered;
    ProposeResult result;
  };
  std::shared_ptr<Write> Propose(RaftCluster& cluster, size_t branch,
                                 const ledger::Command& command, int64_t timeout_ns = kPatienceNs) {
    auto write = std::make_shared<Write>();
    std::string batch;
    ledger::AppendCommand(command, &batch);
    cluster.branch(branch).Propose(std::move(batch), 1, clock_.NowNs() + timeout_ns,
                                   [write](ProposeResult result) {
                                     write->result = std::move(result);
                                     write->answered.Notify();
                                   });
    return write;
  }
  ledger::Outcome Do(RaftCluster& cluster, size_t branch, const ledger::Command& command) {
    auto write = Propose(cluster, branch, command);
    write->answered.WaitForNotification();
    EXPECT_EQ(write->result.fate, Fate::kApplied) << write->result.reason;
    return write->result.outcomes.empty() ? ledger::Outcome() : write->result.outcomes[0];
  }
  void OpenSession(RaftCluster& cluster) {
    session_ = SessionId(Do(cluster, 0, {.kind = ledger::Kind::kOpenSession}).position.value);
  }
  ledger::Command Deposit(int64_t amount) {
    return {.kind = ledger::Kind::kDeposit,
            .session = session_,
            .sequence = ++sequence_,
            .answered_below = 1,
            .account = ledger::kSharedAccount,
            .amount = amount};
  }
  int64_t Read(RaftCluster& cluster, size_t branch) {
    absl::Notification answered;
    absl::Status status;
    cluster.branch(branch).ReadBarrier(clock_.NowNs() + kPatienceNs, [&](absl::Status s) {
      status = std::move(s);
      answered.Notify();
    });
    answered.WaitForNotification();
    EXPECT_TRUE(status.ok()) << status;
    return cluster.branch(branch).Query(ledger::kSharedAccount).balance;
  }
  // Every branch holds the same history.
  void ExpectAgreement(RaftCluster& cluster) {
    EXPECT_TRUE(RaftCluster::Await([&] {
      const ledger::Summary first = cluster.branch(0).GetStatus().ledger;
      for (size_t i = 1; i < cluster.size(); ++i) {
        const ledger::Summary other = cluster.branch(i).GetStatus().ledger;
        if (other.position != first.position || other.history_digest != first.history_digest ||
            other.state_digest != first.state_digest) {
          return false;
        }
      }
      return true;
    }));
  }

  SteadyClock clock_;
  SessionId session_;
  uint64_t sequence_ = 0;
};

TEST_F(RaftReplicatorTest, CountsItsOwnWork) {
  RaftCluster cluster;
  OpenSession(cluster);
  const RaftReplicator& leader = cluster.branch(cluster.AwaitLeader());
  Do(cluster, 0, Deposit(1));
  EXPECT_GE(leader.metrics().elections.load(), 1u);
  // The others may have committed without this disk.
  EXPECT_TRUE(RaftCluster::Await([&] { return leader.metrics().sync.Read().count() >= 1; }));
  EXPECT_EQ(leader.metrics().snapshot_durable_ns.load(), 0);
  EXPECT_TRUE(RaftCluster::Await([&] { return leader.metrics().proposals_open.load() == 0; }));
  EXPECT_TRUE(RaftCluster::Await([&] { return leader.metrics().disk_queue_depth.load() == 0; }));

  Read(cluster, 1);  // it holds something to take now
  absl::Notification taken;
  cluster.branch(1).TakeSnapshot(clock_.NowNs() + kPatienceNs, [&](const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    taken.Notify();
  });
  taken.WaitForNotification();
  EXPECT_NE(cluster.branch(1).metrics().snapshot_durable_ns.load(), 0);
}

TEST_F(RaftReplicatorTest, AFollowerRestarts) {
  RaftCluster cluster;
  OpenSession(cluster);
  const size_t follower = (cluster.AwaitLeader() + 1) % 3;
  const size_t other = (follower + 1) % 3;
  Do(cluster, follower, Deposit(1));
  cluster.Stop(follower);
  for (int i = 0; i < 10; ++i) Do(cluster, other, Deposit(1));
  cluster.Start(follower);
  EXPECT_EQ(Read(cluster, follower), 1011);
  EXPECT_EQ(Do(cluster, follower, Deposit(1)).balance, 1012);
  ExpectAgreement(cluster);
}

TEST_F(RaftReplicatorTest, TheLeaderIsLostUnderLoad) {
  RaftCluster cluster;
  OpenSession(cluster);
  const size_t leader = cluster.AwaitLeader();
  std::vector<std::shared_ptr<Write>> writes;
  for (int i = 0; i < 300; ++i) {
    writes.push_back(Propose(cluster, (leader + 1 + static_cast<size_t>(i % 2)) % 3, Deposit(1)));
    if (i == 150) cluster.Stop(leader);
  }
  for (const auto& write : writes) {
    write->answered.WaitForNotification();
    EXPECT_EQ(write->result.fate, Fate::kApplied) << write->result.reason;
  }
  cluster.Start(leader);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(Read(cluster, i), 1300);
  ExpectAgreement(cluster);
}

TEST_F(RaftReplicatorTest, ALeaderThatIsCutOffAnswersNoReadAndNoWrite) {
  RaftCluster cluster;
  OpenSession(cluster);
  const size_t old_leader = cluster.AwaitLeader();
  const size_t other = (old_leader + 1) % 3;
  cluster.Cut(old_leader, true);
  const ledger::Command doubtful = Deposit(5);
  auto write = Propose(cluster, old_leader, doubtful);
  absl::Notification read_answered;
  std::atomic<int64_t> seen{0};
  cluster.branch(old_leader).ReadBarrier(clock_.NowNs() + kPatienceNs, [&](absl::Status status) {
    EXPECT_TRUE(status.ok()) << status;
    seen = cluster.branch(old_leader).Query(ledger::kSharedAccount).balance;
    read_answered.Notify();
  });
  // The others go on.
  cluster.AwaitLeader();
  Do(cluster, other, Deposit(1));
  EXPECT_FALSE(write->answered.HasBeenNotified());
  EXPECT_FALSE(read_answered.HasBeenNotified());
  cluster.Cut(old_leader, false);
  // The same proposal then goes through the new leader, and the read sees what it had to.
  write->answered.WaitForNotification();
  EXPECT_EQ(write->result.fate, Fate::kApplied) << write->result.reason;
  read_answered.WaitForNotification();
  EXPECT_GE(seen.load(), 1001);
  EXPECT_EQ(Read(cluster, other), 1006);
  ExpectAgreement(cluster);
}

TEST_F(RaftReplicatorTest, ABranchFarBehindGetsASnapshot) {
  RaftClusterOptions options;
  options.snapshot_every_entries = 100;
  options.trailing_entries = 70;
  RaftCluster cluster(options);
  OpenSession(cluster);
  const size_t follower = (cluster.AwaitLeader() + 1) % 3;
  const size_t other = (follower + 1) % 3;
  cluster.Stop(follower);
  for (int i = 0; i < 350; ++i) Do(cluster, other, Deposit(1));
  cluster.Start(follower);
  EXPECT_EQ(Read(cluster, follower), 1350);
  EXPECT_GT(cluster.branch(follower).GetStatus().snapshot_index, LogIndex(0));
  ExpectAgreement(cluster);
}

TEST_F(RaftReplicatorTest, AFailedDiskTakesItsBranchOutAndNoOther) {
  RaftCluster cluster;
  OpenSession(cluster);
  const size_t leader = cluster.AwaitLeader();
  cluster.disk(leader).FailFromNowOn(true);
  const size_t other = (leader + 1) % 3;
  for (int i = 0; i < 5; ++i) Do(cluster, other, Deposit(1));
  EXPECT_TRUE(RaftCluster::Await([&] { return cluster.failed(leader); }));
  EXPECT_EQ(Read(cluster, other), 1005);
  cluster.Stop(leader);
  cluster.disk(leader).FailFromNowOn(false);
  cluster.Start(leader);
  EXPECT_EQ(Read(cluster, leader), 1005);
  ExpectAgreement(cluster);
}

TEST_F(RaftReplicatorTest, LeadershipMovesOnRequest) {
  RaftCluster cluster;
  OpenSession(cluster);
  const size_t leader = cluster.AwaitLeader();
  const size_t next = (leader + 1) % 3;
  absl::Notification over;
  absl::Status transfer;
  BranchId leads_then;
  cluster.branch(leader).TransferLeadership(BranchId(next + 1), [&](absl::Status status) {
    transfer = std::move(status);
    leads_then = cluster.branch(leader).GetStatus().leader;
    over.Notify();
  });
  over.WaitForNotification();
  ASSERT_TRUE(transfer.ok()) << transfer;
  EXPECT_EQ(leads_then, BranchId(next + 1)) << "it is over when another leads, not before";
  EXPECT_EQ(cluster.branch(leader).GetStatus().role, Role::kFollower);
  Do(cluster, leader, Deposit(1));
  ExpectAgreement(cluster);
}

}  // namespace
}  // namespace bank::replication
