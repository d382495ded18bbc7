// Goal: the parts of the simulation keep their own promises; a bug there would hide bugs elsewhere.
#include <gtest/gtest.h>

#include <vector>

#include "tests/sim/durable_record.h"
#include "tests/sim/network.h"
#include "tests/sim/skewed_clock.h"

namespace bank::sim {
namespace {

class NetworkTest : public ::testing::Test {
 protected:
  void RunAll() {
    const SimTime until = scheduler_.now() + 10 * kSecond;
    while (scheduler_.RunOne(until)) {
    }
  }
  void Send(NodeId from, NodeId to, int value, Lane lane = Lane::kMessages) {
    network_.Send(from, to, lane, 0, [this, value] { received_.push_back(value); });
  }

  Scheduler scheduler_;
  Trace trace_{scheduler_, false};
  Statistics statistics_;
  Network network_{scheduler_, trace_, statistics_, Random(7)};
  std::vector<int> received_;
};

TEST_F(NetworkTest, KeepsTheOrderOfALane) {
  network_.SetWeather({.delay_min = 1, .delay_max = 5000});
  std::vector<int> sent;
  for (int i = 0; i < 200; ++i) {
    Send(1, 2, i);
    sent.push_back(i);
  }
  RunAll();
  EXPECT_EQ(received_, sent);
}

TEST_F(NetworkTest, NothingOfABrokenConnectionArrives) {
  Send(1, 2, 1);
  network_.Break(2, 1);
  Send(1, 2, 2);
  RunAll();
  EXPECT_EQ(received_, std::vector<int>{2});
}

TEST_F(NetworkTest, NothingReachesOrLeavesAnEndedProcess) {
  Send(1, 2, 1);
  Send(2, 1, 2);
  Send(1, 3, 3);
  network_.BreakAll(2);
  RunAll();
  EXPECT_EQ(received_, std::vector<int>{3});
}

TEST_F(NetworkTest, ACutHasADirection) {
  network_.Cut(1, 2);
  Send(1, 2, 1);
  Send(2, 1, 2);
  RunAll();
  EXPECT_EQ(received_, std::vector<int>{2});
  network_.MendAll();
  Send(1, 2, 3);
  RunAll();
  EXPECT_EQ(received_, (std::vector<int>{2, 3}));
}

TEST_F(NetworkTest, KnowsWhenTheLastOfWhatIsUnderWayArrives) {
  network_.SetWeather({.spike_permille = 1000, .delay_spike = kSecond});
  Send(1, 2, 1);
  Send(2, 1, 2, Lane::kSnapshots);
  EXPECT_GE(network_.LastArrival(), kSecond);
  while (scheduler_.RunOne(network_.LastArrival())) {
  }
  EXPECT_EQ(received_.size(), 2u);
}

TEST(SkewedClock, NeverGoesBackAndKnowsWhenALocalTimeComes) {
  Random random(3);
  SkewedClock clock(5 * kSecond, 1'000'000);
  int64_t last = 0;
  for (SimTime now = 0; now < 100 * kSecond; now += random.Between(0, 50'000)) {
    const int64_t local = clock.LocalMs(now);
    ASSERT_GE(local, last);
    last = local;
    const int64_t wanted = local + random.Between(0, 100);
    const SimTime when = clock.When(wanted, now);
    ASSERT_GE(clock.LocalMs(when), wanted);
    ASSERT_TRUE(when == now || clock.LocalMs(when - 2000) < wanted);
    if (random.OneIn(10)) clock.SetRate(now, random.Between(500'000, 2'000'000));
    if (random.OneIn(20)) clock.JumpAhead(now, random.Between(0, kSecond));
  }
}

std::vector<storage::Entry> Entries(Term term, size_t n) {
  return std::vector<storage::Entry>(
      n, {term, storage::EntryType::kCommand, std::make_shared<const std::string>("x")});
}

class DurableRecordTest : public ::testing::Test {
 protected:
  DurableRecordTest() {
    record_.OnHardStateBegins({Term(3), BranchId(2)});
    record_.OnHardStateDone();
    record_.OnAppendBegins(LogIndex(1), Entries(Term(3), 4));
    record_.OnSynced();
    found_.hard_state = {Term(3), BranchId(2)};
    found_.entries = Entries(Term(3), 4);
  }
  DurableRecord record_;
  storage::Recovered found_;
};

TEST_F(DurableRecordTest, AcceptsWhatWasWritten) { EXPECT_EQ(record_.Compare(found_), ""); }

TEST_F(DurableRecordTest, NoticesALostVote) {
  found_.hard_state.vote = BranchId(0);
  EXPECT_EQ(record_.Compare(found_),
            "the vote changed on the disk: term 3 vote 0 found, term 3 vote 2 written");
}

TEST_F(DurableRecordTest, NoticesALostEntry) {
  found_.entries.pop_back();
  EXPECT_EQ(record_.Compare(found_), "the log was durable to 4 and ends at 3");
}

TEST_F(DurableRecordTest, NoticesAChangedEntry) {
  found_.entries[2].term = Term(2);
  EXPECT_EQ(record_.Compare(found_), "another entry at index 3 than was made durable");
}

TEST_F(DurableRecordTest, LetsUnsyncedEntriesGo) {
  record_.OnAppendBegins(LogIndex(5), Entries(Term(3), 2));
  EXPECT_EQ(record_.Compare(found_), "");
}

TEST_F(DurableRecordTest, WhatIsBeingReplacedMayBeOldOrNew) {
  record_.OnAppendBegins(LogIndex(3), Entries(Term(4), 1));
  EXPECT_EQ(record_.Compare(found_), "");
}

}  // namespace
}  // namespace bank::sim
