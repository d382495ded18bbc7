// Goal: the driver keeps the promises of driver.h while leaders come and go. Method: several
// drivers in one thread on fake disks, network and clock (bank_of.h); each test arranges one
// situation and looks at the outcome.
#include "branch/replication/driver/driver.h"

#include <gtest/gtest.h>

#include "tests/support/bank_of.h"

namespace bank::replication {
namespace {

void ExpectEqualLedgers(BankOf& bank, const std::vector<uint64_t>& ids) {
  for (const uint64_t id : ids) {
    EXPECT_EQ(bank.driver(id).ledger().summary().history_digest,
              bank.driver(ids[0]).ledger().summary().history_digest)
        << id;
  }
}

TEST(Driver, ThreeFoundersElectALeaderAndApplyADepositEverywhere) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  EXPECT_FALSE(bank.driver(leader).GetStatus().ready);  // the bootstrap write is missing
  bank.Open(leader, 400);
  std::optional<ProposeResult> result;
  bank.Deposit(leader, 170, &result);
  bank.Run();
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->fate, Fate::kApplied);
  ASSERT_EQ(result->outcomes.size(), 1u);
  EXPECT_EQ(result->outcomes[0].balance, 570);
  bank.Advance(300);
  for (uint64_t id : {1, 2, 3}) {
    EXPECT_EQ(bank.Balance(id), 570) << id;
    EXPECT_TRUE(bank.driver(id).GetStatus().ready) << id;
  }
  ExpectEqualLedgers(bank, {1, 2, 3});
}

TEST(Driver, SoleBranchLeadsAtOnce) {
  BankOf bank(1);
  bank.Run();
  ASSERT_EQ(bank.leader(), 1u);
  bank.Open(1, 10);
  bool read = false;
  bank.driver(1).ReadIndex(bank.now_ms, bank.now_ms + 100,
                           [&](absl::StatusOr<LogIndex> index) { read = index.ok(); });
  EXPECT_TRUE(read);
  EXPECT_TRUE(bank.driver(1).GetStatus().ready);
}

TEST(Driver, LearnersFollowAndDoNotVote) {
  BankOf bank(7);
  const uint64_t leader = bank.Elect();
  EXPECT_LE(leader, 5u);
  bank.Open(leader, 5);
  bank.Advance(300);
  for (uint64_t id : {6, 7}) {
    EXPECT_EQ(bank.driver(id).GetStatus().role, Role::kLearner);
    EXPECT_EQ(bank.Balance(id), 5);
    EXPECT_TRUE(bank.driver(id).GetStatus().ready);
  }
}

// Otherwise a reader at a follower waits for the next heartbeat.
TEST(Driver, FollowersLearnTheCommitWithoutAHeartbeat) {
  BankOf bank(7);
  const uint64_t leader = bank.Elect();
  bank.Advance(300);  // standbys are filled
  bank.Open(leader, 400);
  bank.Run();  // no time passes
  for (uint64_t id = 1; id <= 7; ++id) EXPECT_EQ(bank.Balance(id), 400) << id;
}

TEST(Driver, RestartOfAllLosesNothing) {
  BankOf bank(3);
  bank.Open(bank.Elect(), 400);
  for (uint64_t id : {1, 2, 3}) bank.Crash(id);
  for (uint64_t id : {1, 2, 3}) {
    bank[id].Start(bank.now_ms);
    EXPECT_FALSE(bank.driver(id).GetStatus().ready) << id;
  }
  bank.Elect();
  bank.Advance(300);
  for (uint64_t id : {1, 2, 3}) EXPECT_EQ(bank.Balance(id), 400) << id;
  for (uint64_t id : {1, 2, 3}) EXPECT_TRUE(bank.driver(id).GetStatus().ready) << id;
}

TEST(Driver, OtherFoundersAreRefused) {
  BankOf bank(3);
  bank.Open(bank.Elect(), 1);
  bank.Crash(1);
  DriverOptions options = bank[1].options();
  options.initial_members.pop_back();
  Driver other(options, bank[1]);
  EXPECT_EQ(other.Start(bank.now_ms, bank[1].disk.Recover()).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Driver, MovingToOtherAddressesKeepsTheLog) {
  BankOf bank(3);
  DriverOptions moved = bank[1].options();
  for (Member& member : moved.initial_members) member.address = "10.0.0.1:" + member.address;
  EXPECT_EQ(*Driver::Bootstrap(moved).entries[0].payload,
            *Driver::Bootstrap(bank[1].options()).entries[0].payload);
}

// With one byte every entry has a piece of its own, also the first one of another term.
void ExpectLargeAppendsInPieces(uint32_t message_bytes_max) {
  DriverOptions options;
  options.message_bytes_max = message_bytes_max;
  BankOf bank(3, options);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t laggard = BankOf::Other(leader);
  bank.Isolate(laggard);
  for (uint64_t from : {leader, 6 - leader - laggard}) {  // in two terms
    bank.ElectThis(from);
    for (int i = 0; i < 20; ++i) {
      std::optional<ProposeResult> result;
      bank.Deposit(from, 1, &result);
      bank.Run();
    }
  }
  bank.Heal();
  size_t largest = 0;
  size_t most = 0;
  bank.drop = [&](BranchId, BranchId, const Message& message) {
    const auto* append = std::get_if<AppendEntries>(&message);
    size_t bytes = 0;
    if (append != nullptr) most = std::max(most, append->entries.size());
    for (size_t i = 0; append != nullptr && i < append->entries.size(); ++i) {
      bytes += append->entries[i].payload->size();
    }
    largest = std::max(largest, bytes);
    return false;
  };
  bank.Advance(300);
  EXPECT_EQ(bank.Balance(laggard), 40);
  EXPECT_TRUE(largest <= message_bytes_max || most == 1) << largest << " bytes, " << most;
  EXPECT_EQ(most > 1, message_bytes_max > 1);
}

TEST(Driver, LargeAppendsAreSentInPieces) {
  ExpectLargeAppendsInPieces(100);
  ExpectLargeAppendsInPieces(1);
}

// ---- what becomes of proposals

// The disk of `id` is held and has one write to do: of the entry at `index` that `leader` replaces.
void ExpectAcknowledgedByItsOwnWriteOnly(BankOf& bank, uint64_t id, uint64_t leader,
                                         LogIndex index) {
  bool acknowledged = false;
  bank.drop = [&](BranchId from, BranchId, const Message& message) {
    const auto* result = std::get_if<AppendEntriesResult>(&message);
    acknowledged |= from == BranchId(id) && result != nullptr && result->rejected == LogIndex(0) &&
                    result->last_log_index >= index;
    return false;
  };
  ASSERT_TRUE(bank.AdvanceUntil([&] {
    const ReplicatorStatus status = bank.driver(id).GetStatus();
    return status.leader == BranchId(leader) &&
           status.last_index == bank.driver(leader).GetStatus().last_index;
  }));
  bank.Run();
  bank[id].disk_held = false;
  ASSERT_TRUE(bank[id].RunDisk(bank.now_ms));  // the entry that is replaced by now
  bank[id].disk_held = true;
  bank.Advance(100);
  EXPECT_FALSE(acknowledged);
  bank[id].disk_held = false;
  EXPECT_TRUE(bank.AdvanceUntil([&] { return acknowledged; }));
  bank.drop = nullptr;
}

TEST(Driver, AFinishedWriteDoesNotCountForTheEntriesThatReplacedWhatWasWritten) {
  BankOf bank(3);
  const uint64_t old_leader = bank.Elect();
  bank.Open(old_leader, 100);
  bank[old_leader].disk_held = true;
  bank.Isolate(old_leader);
  std::optional<ProposeResult> replaced;
  bank.Deposit(old_leader, 1, &replaced, 60'000);
  const LogIndex index = bank.driver(old_leader).GetStatus().last_index;
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != old_leader; }));
  const uint64_t new_leader = bank.Elect();
  std::optional<ProposeResult> kept;
  bank.Deposit(new_leader, 10, &kept);
  bank.Run();
  bank.Heal();
  ExpectAcknowledgedByItsOwnWriteOnly(bank, old_leader, new_leader, index);
  EXPECT_EQ(replaced->fate, Fate::kNotApplied);
}

// Two barriers differ in their terms only.
TEST(Driver, AFinishedWriteDoesNotCountForAnEqualEntryOfAnotherTerm) {
  BankOf bank(3);
  const uint64_t first_leader = bank.Elect();
  bank.Open(first_leader, 100);
  const uint64_t old_leader = BankOf::Other(first_leader);
  bank.drop = [&](BranchId from, BranchId, const Message& message) {
    return from == BranchId(old_leader) && std::holds_alternative<AppendEntries>(message);
  };
  bank[old_leader].disk_held = true;
  std::optional<absl::Status> moved;
  bank.Transfer(first_leader, old_leader, &moved);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() == old_leader; }));
  const LogIndex index = bank.driver(old_leader).GetStatus().last_index;  // its barrier
  const uint64_t new_leader = bank.Elect();
  ASSERT_NE(new_leader, old_leader);
  ASSERT_EQ(bank.driver(new_leader).GetStatus().last_index, index);
  ExpectAcknowledgedByItsOwnWriteOnly(bank, old_leader, new_leader, index);
}

TEST(Proposals, FollowersRefuse) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 1);
  std::optional<ProposeResult> result;
  bank.Deposit(BankOf::Other(leader), 1, &result);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->fate, Fate::kNotApplied);
}

TEST(Proposals, ReplacedEntriesAreCertainlyNotApplied) {
  BankOf bank(3);
  const uint64_t old_leader = bank.Elect();
  bank.Open(old_leader, 100);
  bank.Isolate(old_leader);
  std::optional<ProposeResult> in_the_log;
  std::optional<ProposeResult> waiting;
  bank.Deposit(old_leader, 1, &in_the_log, 60'000);
  bank.Deposit(old_leader, 2, &waiting, 60'000);
  bank.Run();
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != old_leader; }));
  const uint64_t new_leader = bank.Elect();
  std::optional<ProposeResult> kept;
  bank.Deposit(new_leader, 10, &kept);
  bank.Run();
  EXPECT_EQ(kept->fate, Fate::kApplied);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return waiting.has_value(); }));
  EXPECT_EQ(waiting->fate, Fate::kNotApplied);
  EXPECT_FALSE(in_the_log.has_value());  // only the new leader's log can tell
  bank.Heal();
  ASSERT_TRUE(bank.AdvanceUntil([&] { return in_the_log.has_value(); }));
  EXPECT_EQ(in_the_log->fate, Fate::kNotApplied);
  bank.Advance(300);
  EXPECT_EQ(bank.Balance(old_leader), 110);
  ExpectEqualLedgers(bank, {1, 2, 3});
}

// The new leader's barrier takes the place of the first one, a customer's command that of the
// second.
TEST(Proposals, NobodyIsAnsweredWithACommandOfAnotherLeader) {
  DriverOptions options;
  options.entry_commands_max = 1;
  BankOf bank(3, options);
  const uint64_t old_leader = bank.Elect();
  bank.Open(old_leader, 100);
  bank.Isolate(old_leader);
  std::optional<ProposeResult> first;
  std::optional<ProposeResult> second;
  std::optional<ProposeResult> waiting;  // closes the entry before it
  bank.Deposit(old_leader, 1, &first, 60'000);
  bank.Deposit(old_leader, 2, &second, 60'000);
  bank.Deposit(old_leader, 3, &waiting, 60'000);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != old_leader; }));
  std::optional<ProposeResult> other;
  bank.Deposit(bank.Elect(), 10, &other);
  bank.Run();
  EXPECT_EQ(other->fate, Fate::kApplied);
  bank.Heal();
  ASSERT_TRUE(bank.AdvanceUntil([&] { return first.has_value() && second.has_value(); }));
  EXPECT_EQ(first->fate, Fate::kNotApplied);
  EXPECT_EQ(second->fate, Fate::kNotApplied);
  EXPECT_TRUE(second->outcomes.empty());
}

TEST(Proposals, EntriesThatSurviveTheirLeaderAreReportedAsApplied) {
  BankOf bank(3);
  const uint64_t old_leader = bank.Elect();
  bank.Open(old_leader, 100);
  // The entry reaches both others, no answer comes back.
  for (uint64_t id : {1, 2, 3}) {
    if (id != old_leader) bank.cut.insert({id, old_leader});
  }
  std::optional<ProposeResult> result;
  bank.Deposit(old_leader, 7, &result, 60'000);
  bank.Run();
  bank.Isolate(old_leader);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != old_leader; }));
  EXPECT_FALSE(result.has_value());
  bank.Heal();
  ASSERT_TRUE(bank.AdvanceUntil([&] { return result.has_value(); }));
  EXPECT_EQ(result->fate, Fate::kApplied);
  EXPECT_EQ(result->outcomes.at(0).balance, 107);
}

TEST(Proposals, DeadlineOfASubmittedOneIsUnknownAndOfAWaitingOneNotApplied) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 100);
  bank.Isolate(leader);
  std::optional<ProposeResult> submitted;
  std::optional<ProposeResult> waiting;
  bank.Deposit(leader, 1, &submitted, 50);
  bank.Deposit(leader, 1, &waiting, 50);
  bank.Advance(49);
  EXPECT_FALSE(submitted.has_value());
  bank.Advance(1);
  ASSERT_TRUE(submitted.has_value());
  EXPECT_EQ(submitted->fate, Fate::kUnknown);
  ASSERT_TRUE(waiting.has_value());
  EXPECT_EQ(waiting->fate, Fate::kNotApplied);
}

TEST(Proposals, DeadlineHoldsAlsoForOneThatSubmittedAndLeadsNoMore) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 100);
  bank.Isolate(leader);
  std::optional<ProposeResult> result;
  const int64_t deadline_ms = bank.now_ms + 5'000;
  bank.Deposit(leader, 1, &result, 5'000);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != leader; }));
  ASSERT_TRUE(bank.AdvanceUntil([&] { return result.has_value(); }));
  EXPECT_EQ(result->fate, Fate::kUnknown);
  EXPECT_EQ(bank.now_ms, deadline_ms);
}

TEST(Proposals, ThoseThatWaitOnLoseNothingToTheOnesWhoseTimeIsUp) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  // The first is in the log and holds the others back.
  for (uint64_t id : {1, 2, 3}) bank[id].disk_held = true;
  std::vector<std::optional<ProposeResult>> results(4);
  const std::vector<int64_t> amounts = {1, 1'000, 10'000'000, 100};
  for (size_t i = 0; i < results.size(); ++i) {
    bank.Deposit(leader, amounts[i], &results[i], i == 1 ? 20 : 5'000);
  }
  bank.Advance(20);
  ASSERT_TRUE(results[1].has_value());
  EXPECT_EQ(results[1]->fate, Fate::kNotApplied);
  for (uint64_t id : {1, 2, 3}) bank[id].disk_held = false;
  bank.Run();
  int64_t balance = 0;
  for (size_t i : {0, 2, 3}) {
    balance += amounts[i];
    ASSERT_TRUE(results[i].has_value()) << i;
    ASSERT_EQ(results[i]->fate, Fate::kApplied) << i;
    EXPECT_EQ(results[i]->outcomes.at(0).balance, balance) << i;
  }
  EXPECT_EQ(bank.Balance(leader), balance);
}

TEST(Proposals, ThoseThatShareAnEntryAreAnsweredWithTheirOwnOutcomes) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  for (uint64_t id : {1, 2, 3}) bank[id].disk_held = true;
  std::vector<std::optional<ProposeResult>> results(4);
  const std::vector<int64_t> amounts = {1, 10, 100, 1'000};
  bank.Deposit(leader, amounts[0], &results[0]);
  for (size_t i = 1; i < 4; ++i) bank.Deposit(leader, amounts[i], &results[i], i == 2 ? 20 : 5'000);
  // The first is durable, the other three follow as one entry.
  for (uint64_t id : {1, 2, 3}) bank[id].disk_held = false;
  bank.drop = [](BranchId, BranchId, const Message& message) {
    const auto* append = std::get_if<AppendEntries>(&message);
    return append != nullptr && !append->entries.empty() &&
           append->entries.back().payload->size() > 40;
  };
  bank.Run();
  ASSERT_TRUE(results[0].has_value());
  bank.drop = nullptr;
  for (uint64_t id : {1, 2, 3}) bank[id].disk_held = true;
  bank.Advance(20);
  ASSERT_TRUE(results[2].has_value());
  EXPECT_EQ(results[2]->fate, Fate::kUnknown);
  for (uint64_t id : {1, 2, 3}) bank[id].disk_held = false;
  ASSERT_TRUE(bank.AdvanceUntil([&] { return results[3].has_value(); }));
  EXPECT_EQ(results[1]->outcomes.at(0).balance, 11);
  EXPECT_EQ(results[3]->outcomes.at(0).balance, 1'111);
}

TEST(Proposals, StopTellsEveryone) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 100);
  bank[leader].disk_held = true;
  std::optional<ProposeResult> submitted;
  std::optional<ProposeResult> waiting;
  bank.Deposit(leader, 1, &submitted);
  bank.Deposit(leader, 1, &waiting);
  absl::Status read = absl::UnknownError("");
  bank.driver(leader).WaitApplied(bank.now_ms, LogIndex(1000), bank.now_ms + 1000,
                                  [&](absl::Status status) { read = status; });
  bank.driver(leader).Stop("closing");
  EXPECT_EQ(submitted->fate, Fate::kUnknown);
  EXPECT_EQ(waiting->fate, Fate::kNotApplied);
  EXPECT_EQ(read.code(), absl::StatusCode::kUnavailable);
}

TEST(GroupCommit, FirstGoesAtOnceAndTheRestShareTheNextEntry) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const LogIndex before = bank.driver(leader).GetStatus().last_index;
  std::vector<std::optional<ProposeResult>> results(10);
  for (auto& result : results) bank.Deposit(leader, 1, &result);
  EXPECT_EQ(bank.driver(leader).GetStatus().last_index, before.Plus(1));
  bank.Run();
  EXPECT_EQ(bank.driver(leader).GetStatus().last_index, before.Plus(2));
  for (size_t i = 0; i < results.size(); ++i) {
    ASSERT_TRUE(results[i].has_value()) << i;
    EXPECT_EQ(results[i]->outcomes.at(0).balance, static_cast<int64_t>(i + 1));
  }
}

TEST(GroupCommit, AfterALargeEntryASmallOneWaitsForCompanyButNotForLong) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  std::vector<std::optional<ProposeResult>> results(10);
  for (auto& result : results) bank.Deposit(leader, 1, &result);
  bank.Run();  // an entry of 1, then one of 9
  const LogIndex before = bank.driver(leader).GetStatus().last_index;
  std::vector<std::optional<ProposeResult>> few(2);
  for (auto& result : few) bank.Deposit(leader, 1, &result);
  bank.Run();
  EXPECT_EQ(bank.driver(leader).GetStatus().last_index, before);
  bank.Advance(DriverOptions().entry_linger_ms);
  bank.Run();
  EXPECT_EQ(bank.driver(leader).GetStatus().last_index, before.Plus(1));
  EXPECT_EQ(few.back()->fate, Fate::kApplied);
}

TEST(GroupCommit, FullEntriesGoWithoutWaitingUpToTheLimit) {
  DriverOptions options;
  options.entry_commands_max = 4;
  options.entries_open_max = 3;
  BankOf bank(3, options);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const LogIndex before = bank.driver(leader).GetStatus().last_index;
  std::vector<std::optional<ProposeResult>> results(40);
  for (auto& result : results) bank.Deposit(leader, 1, &result);
  EXPECT_EQ(bank.driver(leader).GetStatus().last_index, before.Plus(3));  // 1 + 4 + 4
  bank.Run();
  EXPECT_EQ(bank.Balance(leader), 40);
  EXPECT_EQ(bank.driver(leader).GetStatus().last_index, before.Plus(11));
}

TEST(GroupCommit, TooManyBytesAreRefused) {
  DriverOptions options;
  options.proposals_bytes_max = 100;
  BankOf bank(3, options);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  std::vector<std::optional<ProposeResult>> results(50);
  for (auto& result : results) bank.Deposit(leader, 1, &result);
  ASSERT_TRUE(results.back().has_value());
  EXPECT_EQ(results.back()->fate, Fate::kNotApplied);
  EXPECT_FALSE(results.front().has_value());
  bank.Run();
  EXPECT_EQ(results.front()->fate, Fate::kApplied);
}

TEST(GroupCommit, BytesCountUntilTheirEntryIsAppliedOrTheyAreTakenOut) {
  DriverOptions options;
  options.proposals_bytes_max = 100;
  options.entry_commands_max = 1;
  options.entries_open_max = 2;
  BankOf bank(3, options);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  int64_t applied = 0;
  for (int round = 0; round < 20; ++round) {
    for (uint64_t id : {1, 2, 3}) bank[id].disk_held = true;
    std::vector<std::optional<ProposeResult>> results(20);
    for (auto& result : results) bank.Deposit(leader, 1, &result, 20);
    const auto busy = std::count_if(results.begin(), results.end(),
                                    [](const auto& result) { return result.has_value(); });
    EXPECT_GE(busy, 13);  // what is in the log counts
    EXPECT_LE(busy, 14);  // and nothing of the rounds before
    bank.Advance(20);
    for (uint64_t id : {1, 2, 3}) bank[id].disk_held = false;
    bank.Run();
    const auto in_the_log = std::count_if(results.begin(), results.end(), [](const auto& result) {
      return result->fate == Fate::kUnknown;
    });
    EXPECT_EQ(in_the_log, 2);
    applied += in_the_log;
    EXPECT_EQ(bank.Balance(leader), applied);
  }
}

TEST(BankTime, GoesOnFromTheLastLeaderAndNeverBack) {
  BankOf bank(3);
  const uint64_t first = bank.Elect();
  bank.Open(first, 1);
  bank.Advance(5000);
  std::optional<ProposeResult> result;
  bank.Deposit(first, 1, &result);
  bank.Run();
  const int64_t before = bank.driver(first).ledger().time_ms();
  EXPECT_GE(before, 5000);
  bank.Crash(first);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != 0 && bank.leader() != first; }));
  const uint64_t second = bank.Elect();
  bank.Advance(100);
  bank.Deposit(second, 1, &result);
  bank.Run();
  EXPECT_GE(bank.driver(second).ledger().time_ms(), before + 100);
}

// A machine's clock tells how much time passes while it leads, and nothing else.
TEST(BankTime, DoesNotFollowTheClockOfTheLeadersMachine) {
  BankOf bank(3);
  bank.Open(bank.Elect(), 1);
  bank.Advance(5000);
  std::optional<ProposeResult> result;
  bank.Deposit(bank.leader(), 1, &result);
  bank.Run();
  const int64_t before = bank.driver(bank.leader()).ledger().time_ms();
  for (uint64_t id : {1, 2, 3}) bank.Crash(id);
  constexpr int64_t kOtherZeroMs = 1'000'000'000;
  bank.now_ms += kOtherZeroMs;
  for (uint64_t id : {1, 2, 3}) bank[id].Start(bank.now_ms);
  const uint64_t leader = bank.Elect();
  bank.Advance(100);
  bank.Deposit(leader, 1, &result);
  bank.Run();
  EXPECT_GE(bank.driver(leader).ledger().time_ms(), before + 100);
  EXPECT_LT(bank.driver(leader).ledger().time_ms(), before + kOtherZeroMs);
}

// Also if the branch that led before leads again.
TEST(BankTime, StandsStillWhileNobodyLeads) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 1);
  const int64_t before = bank.driver(leader).ledger().time_ms();
  const std::vector<uint64_t> others = {BankOf::Other(leader), 6 - leader - BankOf::Other(leader)};
  for (const uint64_t id : others) bank.Crash(id);
  constexpr int64_t kAloneMs = 100'000;
  bank.Advance(kAloneMs);
  ASSERT_EQ(bank.leader(), 0u);
  for (const uint64_t id : others) bank[id].Start(bank.now_ms);
  bank.ElectThis(leader);
  std::optional<ProposeResult> result;
  bank.Deposit(leader, 1, &result);
  bank.Run();
  EXPECT_LT(bank.driver(leader).ledger().time_ms(), before + kAloneMs);
}

}  // namespace
}  // namespace bank::replication
