// Goal: branches can be compared while they move: each remembers its state digest at the same
// indexes, and knows how far it is behind. Method: bank_of.h.
#include <gtest/gtest.h>

#include "tests/support/bank_of.h"

namespace bank::replication {
namespace {

TEST(Checkpoint, SameIndexesAndDigestsOnAllBranches) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  EXPECT_EQ(bank.driver(leader).GetStatus().checkpoints, nullptr);
  Deposits(bank, leader, 2 * kCheckpointEvery + 10);
  bank.Advance(300);
  const auto expected = bank.driver(leader).GetStatus().checkpoints;
  ASSERT_NE(expected, nullptr);
  ASSERT_EQ(expected->size(), 2u);
  EXPECT_EQ((*expected)[0].index, LogIndex(kCheckpointEvery));
  EXPECT_EQ((*expected)[1].index, LogIndex(2 * kCheckpointEvery));
  EXPECT_NE((*expected)[0].state_digest, (*expected)[1].state_digest);
  for (uint64_t id : {1, 2, 3}) {
    const auto own = bank.driver(id).GetStatus().checkpoints;
    ASSERT_NE(own, nullptr) << id;
    ASSERT_EQ(own->size(), 2u) << id;
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ((*own)[i].index, (*expected)[i].index) << id;
      EXPECT_EQ((*own)[i].state_digest, (*expected)[i].state_digest) << id;
    }
  }
}

TEST(Checkpoint, IsOfTheStateRightAfterItsEntry) {
  BankOf bank(1);
  bank.Run();
  bank.Open(1, 0);
  while (bank.driver(1).GetStatus().applied_index < LogIndex(kCheckpointEvery)) {
    Deposits(bank, 1, 1);
  }
  const ReplicatorStatus status = bank.driver(1).GetStatus();
  ASSERT_EQ(status.applied_index, LogIndex(kCheckpointEvery));
  ASSERT_NE(status.checkpoints, nullptr);
  EXPECT_EQ(status.checkpoints->front().state_digest, status.ledger.state_digest);
}

TEST(Checkpoint, ARestartedBranchFindsTheSameInItsLog) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  Deposits(bank, leader, kCheckpointEvery);
  bank.Advance(300);
  const uint64_t other = BankOf::Other(leader);
  bank.Crash(other);
  bank[other].Start(bank.now_ms);
  bank.Advance(300);
  const auto own = bank.driver(other).GetStatus().checkpoints;
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(own->front().state_digest,
            bank.driver(leader).GetStatus().checkpoints->front().state_digest);
}

TEST(Checkpoint, KeepsTheNewest) {
  BankOf bank(1);
  bank.Run();
  bank.Open(1, 0);
  Deposits(bank, 1, (kCheckpointsMax + 1) * kCheckpointEvery);
  const auto kept = bank.driver(1).GetStatus().checkpoints;
  ASSERT_NE(kept, nullptr);
  EXPECT_EQ(kept->size(), kCheckpointsMax);
  EXPECT_EQ(kept->front().index, LogIndex(2 * kCheckpointEvery));
}

TEST(Checkpoint, ALaggardKnowsHowFarItIsBehind) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  bank.Advance(300);
  const uint64_t laggard = BankOf::Other(leader);
  // More than it is sent before it says that it holds something of it.
  bank[laggard].disk_held = true;
  Deposits(bank, leader, DriverOptions{}.inflight_entries_max + 20);
  bank.Advance(300);
  const ReplicatorStatus behind = bank.driver(laggard).GetStatus();
  EXPECT_EQ(behind.known_commit_index, bank.driver(leader).GetStatus().commit_index);
  EXPECT_LT(behind.applied_index, behind.known_commit_index);
  bank[laggard].disk_held = false;
  bank.Advance(300);
  const ReplicatorStatus level = bank.driver(laggard).GetStatus();
  EXPECT_EQ(level.applied_index, level.known_commit_index);
}

}  // namespace
}  // namespace bank::replication
