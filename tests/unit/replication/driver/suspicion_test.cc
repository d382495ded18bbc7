// Goal: the end of a leader's connection shortens the silence after its end, and a false alarm does
// no harm. Method: bank_of.h; time is the test's.
#include <gtest/gtest.h>

#include "tests/support/bank_of.h"

namespace bank::replication {
namespace {

void TellLost(BankOf& bank, uint64_t branch, uint64_t lost) {
  bank.driver(branch).OnConnectionLost(bank.now_ms, BranchId(lost));
}

// The leader's end, as its system tells it to all others.
int64_t MillisecondsToNextLeader(BankOf& bank, int branches) {
  const uint64_t old = bank.leader();
  bank.Crash(old);
  const int64_t begin_ms = bank.now_ms;
  for (uint64_t id = 1; id <= static_cast<uint64_t>(branches); ++id) {
    if (bank.driver_or_null(id) != nullptr) TellLost(bank, id, old);
  }
  EXPECT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != 0; }));
  return bank.now_ms - begin_ms;
}

TEST(Suspicion, ALeaderWhoseConnectionBrokeIsReplacedBeforeItsTime) {
  for (const int branches : {3, 5}) {
    for (uint64_t leader = 1; leader <= static_cast<uint64_t>(branches); ++leader) {
      BankOf bank(branches);
      bank.Elect();
      bank.ElectThis(leader);
      const int64_t took_ms = MillisecondsToNextLeader(bank, branches);
      EXPECT_GE(took_ms, 3 * DriverOptions{}.heartbeat_ms);
      EXPECT_LE(took_ms, 4 * DriverOptions{}.heartbeat_ms) << leader << " of " << branches;
      // Each further one as well, for as long as a majority is there.
      if (branches == 5) {
        bank.Elect();
        EXPECT_LE(MillisecondsToNextLeader(bank, branches), 6 * DriverOptions{}.heartbeat_ms);
      }
    }
  }
}

// Whose turn is first lacks entries: the next one has them, and is not kept waiting.
TEST(Suspicion, WhoMayNotWinDelaysTheOthersByATurn) {
  BankOf bank(3);
  bank.Elect();
  bank.ElectThis(1);
  bank.Open(1, 0);
  bank.Isolate(2);
  std::optional<ProposeResult> result;
  bank.Deposit(1, 5, &result);
  bank.Run();
  ASSERT_TRUE(result.has_value());
  bank.Heal();
  const int64_t took_ms = MillisecondsToNextLeader(bank, 3);
  EXPECT_EQ(bank.leader(), 3u);
  EXPECT_LE(took_ms, 5 * DriverOptions{}.heartbeat_ms);
}

TEST(Suspicion, AFalseAlarmChangesNothing) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  const Term term = bank.driver(leader).GetStatus().term;
  const uint64_t alarmed = BankOf::Other(leader);
  for (int times = 0; times < 10; ++times) {
    TellLost(bank, alarmed, leader);
    bank.Advance(700);
  }
  EXPECT_EQ(bank.leader(), leader);
  EXPECT_EQ(bank.driver(alarmed).GetStatus().term, term);

  // Also when it cannot be taken back at once: the others know better.
  bank.cut.insert({leader, alarmed});
  TellLost(bank, alarmed, leader);
  bank.Advance(5000);
  EXPECT_EQ(bank.leader(), leader);
  EXPECT_EQ(bank.driver(leader).GetStatus().term, term);
  bank.Heal();
  bank.Advance(2500);
  EXPECT_EQ(bank.leader(), leader);
  EXPECT_EQ(bank.driver(alarmed).GetStatus().leader, BranchId(leader));
}

// The leader's next message sets the timer to its full length.
TEST(Suspicion, AfterAFalseAlarmSilenceIsWaitedForAsBefore) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  for (const uint64_t id : {1, 2, 3}) {
    if (id != leader) TellLost(bank, id, leader);
  }
  bank.Advance(2 * DriverOptions{}.heartbeat_ms);
  bank.Crash(leader);
  bank.Advance(DriverOptions{}.election_timeout_ms - DriverOptions{}.heartbeat_ms - 1);
  EXPECT_EQ(bank.leader(), 0u);
  for (const uint64_t id : {1, 2, 3}) {
    if (id == leader) continue;
    EXPECT_EQ(bank.driver(id).GetStatus().role, Role::kFollower);
  }
  EXPECT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != 0; }));
}

TEST(Suspicion, OnlyTheLeadersConnectionSaysAnything) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  const uint64_t other = BankOf::Other(leader);
  const uint64_t third = 6 - leader - other;
  TellLost(bank, other, third);
  TellLost(bank, leader, third);
  bank.Crash(leader);
  bank.Advance(DriverOptions{}.election_timeout_ms - DriverOptions{}.heartbeat_ms - 1);
  EXPECT_EQ(bank.leader(), 0u);
}

// No hint, no harm: the engine's own timers are there all the same.
TEST(Suspicion, ElectionsGoOnAfterTheHastenedOnes) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  const uint64_t other = BankOf::Other(leader);
  const uint64_t third = 6 - leader - other;
  bank.Crash(leader);
  bank.Isolate(third);
  for (const uint64_t id : {other, third}) TellLost(bank, id, leader);
  bank.Advance(10'000);
  EXPECT_EQ(bank.leader(), 0u);
  bank.Heal();
  EXPECT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != 0; }, 5'000));
}

}  // namespace
}  // namespace bank::replication
