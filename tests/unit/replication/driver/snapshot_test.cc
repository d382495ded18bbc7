// Goal: snapshots shorten the log, bring laggards back and survive restarts; a branch that lost
// what it acknowledged is noticed, does no harm and comes back. Method: bank_of.h.
#include <gtest/gtest.h>

#include "tests/support/bank_of.h"

namespace bank::replication {
namespace {

TEST(Snapshot, ShortensLogAndDisk) {
  BankOf bank(3, SmallSnapshots());
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  Deposits(bank, leader, 100);
  for (uint64_t id : {1, 2, 3}) {
    EXPECT_GE(bank.driver(id).GetStatus().snapshot_index, LogIndex(80)) << id;
    EXPECT_LE(bank[id].disk.entries.size(), 31u) << id;
    EXPECT_EQ(bank[id].disk.first.value, bank[id].disk.snapshot->index.value - 9) << id;
  }
}

TEST(Snapshot, RestartBeginsWithIt) {
  BankOf bank(3, SmallSnapshots());
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  Deposits(bank, leader, 50);
  const uint64_t other = BankOf::Other(leader);
  bank.Crash(other);
  bank[other].Start(bank.now_ms);
  bank.Advance(300);
  EXPECT_EQ(bank.Balance(other), 50);
  Deposits(bank, leader, 50);
  bank.Advance(300);
  EXPECT_EQ(bank.Balance(other), 100);
}

TEST(Snapshot, LaggardReceivesIt) {
  BankOf bank(3, SmallSnapshots());
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t laggard = BankOf::Other(leader);
  bank.Crash(laggard);
  Deposits(bank, leader, 100);
  bank[laggard].Start(bank.now_ms);
  bank.Advance(4'000);  // one sent while it was down is repeated after the snapshot timeout
  EXPECT_EQ(bank.Balance(laggard), 100);
  ASSERT_TRUE(bank[laggard].disk.snapshot.has_value());
  EXPECT_GE(bank[laggard].disk.snapshot->index, LogIndex(80));
  Deposits(bank, leader, 30);
  bank.Advance(300);
  EXPECT_EQ(bank.Balance(laggard), 130);
}

TEST(Snapshot, WhoeverReceivesOneOfEverythingIsReadyWithoutANewEntry) {
  BankOf bank(3, SmallSnapshots());
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t laggard = BankOf::Other(leader);
  bank.Crash(laggard);
  Deposits(bank, leader, 100);
  bank.driver(leader).TakeSnapshot(bank.now_ms);
  bank.Run();
  ASSERT_EQ(bank[leader].disk.snapshot->index, bank.driver(leader).GetStatus().last_index);
  bank[laggard].Start(bank.now_ms);
  EXPECT_TRUE(bank.AdvanceUntil([&] { return bank.driver(laggard).GetStatus().ready; }));
  EXPECT_EQ(bank.Balance(laggard), 100);
}

TEST(Snapshot, CrashDuringInstallIsHarmless) {
  BankOf bank(3, SmallSnapshots());
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t laggard = BankOf::Other(leader);
  bank.Crash(laggard);
  Deposits(bank, leader, 100);
  bank[laggard].Start(bank.now_ms);
  bank[laggard].disk_held = true;
  bank.Advance(500);
  EXPECT_EQ(bank.Balance(laggard), 0);
  bank.Crash(laggard);
  bank[laggard].disk_held = false;
  bank[laggard].Start(bank.now_ms);
  bank.Advance(5'000);
  EXPECT_EQ(bank.Balance(laggard), 100);
}

// The state of a branch's newest durable snapshot.
ledger::Ledger Saved(const FakeBranch& branch) {
  absl::StatusOr<ledger::Ledger> saved =
      ledger::Ledger::DecodeSnapshot(*branch.disk.snapshot.value().state);
  BANK_CHECK(saved.ok()) << saved.status().message();
  return *std::move(saved);
}

TEST(Snapshot, IsTheStateAtItsIndexWhateverIsAppliedWhileItIsEncoded) {
  BankOf bank(3, SmallSnapshots());
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  Deposits(bank, leader, 5);
  bank.Advance(300);
  for (const uint64_t id : {leader, BankOf::Other(leader)}) {
    SCOPED_TRACE(id);
    const ReplicatorStatus before = bank.driver(id).GetStatus();
    bank[id].writer_held = true;
    bank.driver(id).TakeSnapshot(bank.now_ms);
    Deposits(bank, leader, 30);
    bank.Advance(300);
    EXPECT_GT(bank.driver(id).GetStatus().applied_index, before.applied_index);
    EXPECT_EQ(bank.driver(id).GetStatus().snapshot_index, before.snapshot_index);
    bank[id].writer_held = false;
    bank[id].disk_held = true;
    bank.Run();
    bank[id].disk_held = false;
    ASSERT_TRUE(bank[id].RunDisk(bank.now_ms));
    ASSERT_EQ(bank[id].disk.snapshot->index, before.applied_index);
    EXPECT_EQ(Saved(bank[id]).summary().state_digest, before.ledger.state_digest);
    EXPECT_EQ(Saved(bank[id]).summary().history_digest, before.ledger.history_digest);
    bank.Advance(300);  // the next one was due meanwhile
    EXPECT_GE(bank.driver(id).GetStatus().snapshot_index, before.applied_index.Plus(30));
  }
}

TEST(Snapshot, CrashWhileItIsPreparedLeavesTheOldOne) {
  BankOf bank(3, SmallSnapshots());
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t follower = BankOf::Other(leader);
  Deposits(bank, leader, 50);
  bank.Advance(300);
  const LogIndex old = bank[follower].disk.snapshot.value().index;
  bank[follower].writer_held = true;
  bank.driver(follower).TakeSnapshot(bank.now_ms);
  Deposits(bank, leader, 5);
  bank.Crash(follower);
  bank[follower].writer_held = false;
  EXPECT_EQ(bank[follower].disk.snapshot->index, old);
  bank[follower].Start(bank.now_ms);
  bank.Advance(500);
  EXPECT_EQ(bank.Balance(follower), 55);
}

TEST(Snapshot, InstallDuringPreparationWins) {
  BankOf bank(3, SmallSnapshots());
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t follower = BankOf::Other(leader);
  Deposits(bank, leader, 10);
  bank.Advance(300);
  bank[follower].writer_held = true;
  bank.driver(follower).TakeSnapshot(bank.now_ms);
  bank.Isolate(follower);
  Deposits(bank, leader, 100);
  bank.Heal();
  bank.Advance(4'000);
  EXPECT_EQ(bank.Balance(follower), 110);
  const LogIndex installed = bank[follower].disk.snapshot.value().index;
  EXPECT_GE(installed, LogIndex(80));
  bank[follower].writer_held = false;
  bank.Advance(300);
  EXPECT_GE(bank[follower].disk.snapshot->index, installed);
  Deposits(bank, leader, 40);
  bank.Advance(300);
  EXPECT_GE(bank.driver(follower).GetStatus().snapshot_index, LogIndex(140)) << "they go on";
}

TEST(Snapshot, InstallDuringTakeWins) {
  BankOf bank(3, SmallSnapshots());
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t follower = BankOf::Other(leader);
  Deposits(bank, leader, 10);
  bank[follower].disk_held = true;
  bank.driver(follower).TakeSnapshot(bank.now_ms);
  bank.Isolate(follower);
  Deposits(bank, leader, 100);
  bank.Heal();
  bank.Advance(4'000);
  bank[follower].disk_held = false;
  bank.Advance(4'000);
  EXPECT_EQ(bank.Balance(follower), 110);
  EXPECT_GE(bank.driver(follower).GetStatus().snapshot_index, LogIndex(80));
}

TEST(Snapshot, AnOperatorIsAnsweredWhenItIsDurable) {
  BankOf bank(3, SmallSnapshots());
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t follower = BankOf::Other(leader);
  Deposits(bank, leader, 2);
  std::vector<absl::Status> answers;
  const auto take = [&](int64_t deadline_ms) {
    bank.driver(follower).TakeSnapshot(bank.now_ms, deadline_ms, [&](absl::Status status) {
      answers.push_back(std::move(status));
    });
  };
  bank[follower].disk_held = true;
  const LogIndex applied = bank.driver(follower).GetStatus().applied_index;
  take(bank.now_ms + 60'000);
  take(bank.now_ms + 100);
  bank.Advance(500);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].code(), absl::StatusCode::kDeadlineExceeded);
  bank[follower].disk_held = false;
  bank.Advance(500);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_TRUE(answers[1].ok()) << answers[1];
  EXPECT_GE(bank.driver(follower).GetStatus().snapshot_index, applied);
  take(bank.now_ms + 60'000);
  bank.driver(follower).Stop("the test ends");
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_TRUE(answers[2].ok()) << "nothing newer to save";
}

// As after a crash between the writing of a received snapshot and the reset of the log, which may
// end anywhere: what reaches beyond the snapshot's place is of an older leader.
TEST(Snapshot, LogThatDoesNotContinueTheSnapshotIsDropped) {
  for (const int64_t end : {-100, -1, 0, 3}) {  // from the snapshot on
    SCOPED_TRACE(end);
    BankOf bank(3, SmallSnapshots());
    const uint64_t leader = bank.Elect();
    bank.Open(leader, 0);
    const uint64_t laggard = BankOf::Other(leader);
    bank.Crash(laggard);
    const uint64_t next_leader = 6 - leader - laggard;
    bank.ElectThis(next_leader);
    Deposits(bank, next_leader, 100);
    FakeDisk& disk = bank[laggard].disk;
    disk.snapshot = bank[next_leader].disk.snapshot;
    ASSERT_LT(disk.entries.back().term, disk.snapshot->term);
    while (static_cast<int64_t>(disk.last().value) <
           static_cast<int64_t>(disk.snapshot->index.value) + end) {
      disk.entries.push_back(disk.entries.back());
    }
    bank[laggard].Start(bank.now_ms);
    bank.Advance(500);
    EXPECT_EQ(bank.Balance(laggard), 100);
    EXPECT_EQ(disk.first, disk.snapshot->index.Next());
  }
}

TEST(Snapshot, StateThatDoesNotAddUpIsNotTaken) {
  BankOf bank(3, SmallSnapshots());
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t follower = BankOf::Other(leader);
  InstallSnapshot message;
  message.term = bank.driver(leader).GetStatus().term;
  message.snapshot = {LogIndex(500), message.term, LogIndex(1),
                      *Driver::Bootstrap(bank[1].options()).entries[0].payload,
                      std::make_shared<const std::string>("no ledger")};
  bank.driver(follower).OnMessage(bank.now_ms, BranchId(leader), message);
  Deposits(bank, leader, 5);
  bank.Advance(300);
  EXPECT_EQ(bank.Balance(follower), 5);
}

TEST(Snapshot, ProposalsPassedByASnapshotAreUnknown) {
  BankOf bank(3, SmallSnapshots());
  const uint64_t old_leader = bank.Elect();
  bank.Open(old_leader, 0);
  bank.Isolate(old_leader);
  std::optional<ProposeResult> result;
  bank.Deposit(old_leader, 1, &result, 600'000);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != old_leader; }));
  Deposits(bank, bank.Elect(), 100);
  bank.Heal();
  ASSERT_TRUE(bank.AdvanceUntil([&] { return result.has_value(); }));
  EXPECT_EQ(result->fate, Fate::kUnknown);
}

// ---- a branch that lost what it acknowledged

TEST(LostLog, OldCopyOfTheFolderStopsTheBranch) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t victim = BankOf::Other(leader);
  const FakeDisk old_copy = bank[victim].disk;
  Deposits(bank, leader, 5);
  bank.Crash(victim);
  bank[victim].disk = old_copy;
  bank[victim].Start(bank.now_ms);
  bank.Advance(500);
  EXPECT_NE(bank[victim].fatal.find("--rebuild"), std::string::npos) << bank[victim].fatal;
  EXPECT_EQ(bank.leader(), leader);
}

// A leader that has sent more than it knows to have arrived asks by turns for what it knows and for
// what comes after; the answer to a message of an older term says nothing of the log.
TEST(LostLog, EveryRejectionByAShorterLogThanWasAcknowledgedCounts) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t victim = BankOf::Other(leader);
  Deposits(bank, leader, 5);
  bank.Crash(victim);
  std::optional<LogBehindAcknowledged> told;
  bank.drop = [&](BranchId, BranchId to, const Message& message) {
    const auto* behind = std::get_if<LogBehindAcknowledged>(&message);
    if (behind != nullptr && to == BranchId(victim)) told = *behind;
    return false;
  };
  const ReplicatorStatus status = bank.driver(leader).GetStatus();
  const auto reject = [&](LogIndex previous, LogIndex last) {
    AppendEntriesResult result;
    result.term = status.term;
    result.rejected = previous;
    result.last_log_index = last;
    result.life = bank.lives[victim];
    bank.driver(leader).OnMessage(bank.now_ms, BranchId(victim), result);
  };
  reject(status.last_index.Plus(2), LogIndex(2));
  reject(AppendEntriesResult::kOfOlderTerm, LogIndex(0));
  reject(AppendEntriesResult::kOfOlderTerm, LogIndex(0));
  EXPECT_FALSE(told.has_value());
  reject(status.last_index, LogIndex(2));
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->acknowledged, status.last_index);
}

TEST(LostLog, AHealthyRestartIsNotSuspected) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t other = BankOf::Other(leader);
  for (int i = 0; i < 5; ++i) {
    bank.Crash(other);
    Deposits(bank, leader, 3);
    bank[other].Start(bank.now_ms);
    bank.Advance(400);
    EXPECT_EQ(bank[other].fatal, "");
  }
  EXPECT_EQ(bank.Balance(other), 15);
}

// ---- a branch that cannot know whether it has lost anything

TEST(Bootstrap, WaitsForAllOfThreeVotersOrFourOfFive) {
  for (const auto& [branches, away] : {std::pair(3, 1), std::pair(5, 2)}) {
    BankOf bank(branches);
    for (int id = 1; id <= away; ++id) bank.Crash(static_cast<uint64_t>(id));
    bank.Advance(20'000);
    EXPECT_EQ(bank.leader(), 0u) << branches;
    EXPECT_TRUE(bank.driver(3).GetStatus().bootstrapping);
    bank[1].Start(bank.now_ms);
    EXPECT_NE(bank.Elect(), 0u) << branches;
    EXPECT_FALSE(bank.driver(3).GetStatus().bootstrapping);
  }
}

TEST(Bootstrap, OneThatComesLateIsFilledFirst) {
  BankOf bank(5);
  bank.Crash(5);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  Deposits(bank, leader, 5);
  bank[5].Start(bank.now_ms);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.Balance(5) == 5; }));
  ASSERT_TRUE(bank.AdvanceUntil([&] { return !bank[5].disk.rebuilding; }));
  EXPECT_EQ(bank.leader(), leader);
}

TEST(Bootstrap, WipedBranchIsFilledWithoutBeingTold) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  Deposits(bank, leader, 5);
  const uint64_t victim = BankOf::Other(leader);
  bank.Wipe(victim);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank[victim].disk.rebuilding; }));
  EXPECT_TRUE(bank.driver(victim).GetStatus().rebuilding);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return !bank[victim].disk.rebuilding; }));
  EXPECT_FALSE(bank.driver(victim).GetStatus().rebuilding);
  EXPECT_EQ(bank.Balance(victim), 5);
  EXPECT_EQ(bank[victim].fatal, "");
}

TEST(Bootstrap, WipedAndLaggingElectNobody) {
  BankOf bank(3);
  const uint64_t whole = bank.Elect();
  bank.Open(whole, 0);
  const uint64_t wiped = BankOf::Other(whole);
  const uint64_t lagging = BankOf::Other(wiped);
  bank.Isolate(lagging);
  Deposits(bank, whole, 5);
  bank.Crash(whole);
  bank.Wipe(wiped);
  bank.Heal();
  bank.Advance(20'000);
  EXPECT_EQ(bank.leader(), 0u) << "it would lack what " << whole << " and " << wiped << " had";
  bank[whole].Start(bank.now_ms);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != 0; }));
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.Balance(wiped) == 5; }));
  EXPECT_EQ(bank.Balance(lagging), 5);
}

// More are wiped than a bank can lose, and one of them hears of the other wiped ones long before it
// hears of those that lag. What was acknowledged is gone; nobody may go on as if it had never been.
TEST(Bootstrap, WhoHoldsMoreIsWaitedForWhenTheOthersAreBeingRebuilt) {
  for (const uint64_t branches : {3, 5}) {
    BankOf bank(static_cast<int>(branches));
    const uint64_t leader = bank.Elect();
    bank.Open(leader, 0);
    std::vector<uint64_t> wiped, lagging;
    for (uint64_t i = 0; i < branches; ++i) {
      (i <= branches / 2 ? wiped : lagging).push_back((leader - 1 + i) % branches + 1);
    }
    for (const uint64_t id : lagging) bank.Isolate(id);
    Deposits(bank, leader, 5);
    for (const uint64_t id : wiped) bank.Crash(id);
    bank.Heal();
    const uint64_t late = wiped.back();
    bool silent = true;
    bank.drop = [&](BranchId from, BranchId to, const Message& message) {
      return silent && to.value == late && std::holds_alternative<ChallengeResult>(message) &&
             std::find(lagging.begin(), lagging.end(), from.value) != lagging.end();
    };
    for (const uint64_t id : wiped) bank.Wipe(id);
    bank.Advance(20'000);
    EXPECT_EQ(bank.leader(), 0u) << "of " << branches;
    EXPECT_TRUE(bank.driver(late).GetStatus().bootstrapping);
    EXPECT_EQ(bank[late].disk.hard_state.vote, BranchId(0));
    silent = false;
    ASSERT_TRUE(bank.AdvanceUntil([&] { return bank[late].disk.rebuilding; }));
    bank.Advance(20'000);
    EXPECT_EQ(bank.leader(), 0u) << "of " << branches;
  }
}

TEST(Bootstrap, OfEachVoterTheNewestAnswerCounts) {
  BankOf bank(5);
  for (uint64_t id : {2, 3, 4, 5}) bank.Crash(id);
  const auto hear = [&](uint64_t from, bool lost) {
    bank.Advance(bank[1].options().heartbeat_ms + 1);  // it asks again
    bank.driver(1).OnMessage(
        bank.now_ms, BranchId(from),
        ChallengeResult{.term = Term(1), .nonce = bank.nonces[{1, from}], .lost = lost});
    return bank.driver(1).GetStatus().bootstrapping;
  };
  EXPECT_TRUE(hear(2, /*lost=*/false));
  EXPECT_TRUE(hear(3, false));
  EXPECT_TRUE(hear(2, true));
  EXPECT_TRUE(hear(3, true)) << "4 and 5 may hold more";
  EXPECT_TRUE(hear(4, false));
  EXPECT_FALSE(hear(5, false)) << "all have answered, and two are lost";
}

// Should it have voted before it was wiped after all.
TEST(Bootstrap, VotesInTermsAloneThatNobodyHadReached) {
  BankOf bank(3);
  bank.Isolate(1);
  const Term reached(7);
  bank.Advance(1);
  for (uint64_t id : {2, 3}) {
    bank.driver(1).OnMessage(bank.now_ms, BranchId(id),
                             ChallengeResult{.term = reached, .nonce = bank.nonces[{1, id}]});
  }
  ASSERT_FALSE(bank.driver(1).GetStatus().bootstrapping);
  const auto vote_after = [&](Term term) {
    bank.driver(1).OnMessage(bank.now_ms, BranchId(2),
                             RequestVote{.version = 2,
                                         .term = term,
                                         .candidate = BranchId(2),
                                         .last_log_index = LogIndex(1'000'000),
                                         .last_log_term = term,
                                         .disrupt_leader = true});
    return bank[1].disk.hard_state.vote;
  };
  EXPECT_EQ(vote_after(reached), BranchId(0));
  EXPECT_EQ(vote_after(reached.Next()), BranchId(2));
}

TEST(Bootstrap, SomeWereStartedWithRebuild) {
  for (const int branches : {3, 5}) {
    BankOf bank(branches);
    for (int id = 1; id <= (branches - 1) / 2; ++id) {
      bank.StartRebuilding(static_cast<uint64_t>(id));
    }
    bank.Open(bank.Elect(), 7);
    ASSERT_TRUE(bank.AdvanceUntil([&] { return !bank[1].disk.rebuilding; }));
    EXPECT_EQ(bank.Balance(1), 7);
  }
}

TEST(Bootstrap, RestartWhileBeingFilledStillAbstains) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t victim = BankOf::Other(leader);
  bank.Wipe(victim);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank[victim].disk.rebuilding; }));
  bank.Crash(leader);
  bank.Crash(victim);
  bank[victim].Start(bank.now_ms);
  bank.Advance(20'000);
  EXPECT_EQ(bank.leader(), 0u);
}

TEST(Rebuild, BranchComesBackWithoutVotingMeanwhile) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  Deposits(bank, leader, 5);
  const uint64_t victim = BankOf::Other(leader);
  bank.StartRebuilding(victim);
  bool voted = false;
  bank.drop = [&](BranchId from, BranchId, const Message& message) {
    const auto* vote = std::get_if<RequestVoteResult>(&message);
    if (from.value == victim && vote != nullptr && bank[victim].disk.rebuilding) {
      voted |= vote->vote_granted;
    }
    return false;
  };
  ASSERT_TRUE(bank.AdvanceUntil([&] { return !bank[victim].disk.rebuilding; }));
  EXPECT_FALSE(voted);
  EXPECT_EQ(bank.Balance(victim), 5);
  EXPECT_EQ(bank[victim].disk.vote_floor, bank.driver(victim).GetStatus().term);
  EXPECT_EQ(bank[victim].fatal, "");
  Deposits(bank, bank.Elect(), 1);
  bank.Advance(300);
  EXPECT_EQ(bank.Balance(victim), 6);
}

// It may have voted, before it lost its vote, in the term in which it is whole again, and in every
// later one of which it was asked until then.
TEST(Rebuild, VotesAfterwardsInTermsAloneInWhichItCannotHaveVoted) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t victim = BankOf::Other(leader);
  const BranchId candidate(6 - leader - victim);
  std::vector<Term> granted;
  bank.drop = [&](BranchId from, BranchId to, const Message& message) {
    const auto* vote = std::get_if<RequestVoteResult>(&message);
    if (from.value == victim && vote != nullptr && vote->vote_granted) {
      granted.push_back(vote->term);
    }
    return to.value == victim && std::holds_alternative<RequestVote>(message);
  };
  const auto ask = [&](Term term) {
    bank.driver(victim).OnMessage(bank.now_ms, candidate,
                                  RequestVote{.version = 2,
                                              .term = term,
                                              .candidate = candidate,
                                              .last_log_index = LogIndex(1'000'000),
                                              .last_log_term = term,
                                              .disrupt_leader = true});
  };
  bank.StartRebuilding(victim);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return !bank[victim].disk.rebuilding; }));
  const Term whole = bank.driver(victim).GetStatus().term;
  ask(whole);
  EXPECT_TRUE(granted.empty());

  const Term asked = whole.Next().Next();
  bank.StartRebuilding(victim);
  ask(asked);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return !bank[victim].disk.rebuilding; }));
  ASSERT_LT(bank.driver(victim).GetStatus().term, asked);
  ask(asked);
  EXPECT_TRUE(granted.empty());
  ask(asked.Next());
  EXPECT_EQ(granted, std::vector{asked.Next()});
}

TEST(Rebuild, ABranchThatLostItsLogDoesNotCampaignWhenItIsTold) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t victim = BankOf::Other(leader);
  std::optional<AppendEntries> heartbeat;
  bank.drop = [&](BranchId from, BranchId to, const Message& message) {
    const auto* append = std::get_if<AppendEntries>(&message);
    if (append != nullptr && from.value == leader && to.value == victim) heartbeat = *append;
    return false;
  };
  ASSERT_TRUE(bank.AdvanceUntil([&] { return heartbeat.has_value(); }));
  bank.Isolate(victim);
  bank.Wipe(victim);
  bank.driver(victim).OnMessage(bank.now_ms, BranchId(leader), *heartbeat);
  bank.driver(victim).OnMessage(
      bank.now_ms, BranchId(leader),
      ChallengeResult{
          .term = heartbeat->term, .nonce = bank.nonces[{victim, leader}], .holds = true});
  ASSERT_TRUE(bank[victim].disk.rebuilding);
  bank.driver(victim).OnMessage(bank.now_ms, BranchId(leader), *heartbeat);
  ASSERT_EQ(bank.driver(victim).GetStatus().leader, BranchId(leader));
  bank.driver(victim).OnMessage(bank.now_ms, BranchId(leader),
                                TimeoutNow{.version = 1,
                                           .term = heartbeat->term,
                                           .last_log_index = LogIndex(1),
                                           .last_log_term = Term(1)});
  EXPECT_EQ(bank[victim].disk.hard_state.term, heartbeat->term);
  EXPECT_EQ(bank[victim].disk.hard_state.vote, BranchId(0));
}

// It may have elected another leader since, and have forgotten it.
TEST(Rebuild, ConfirmsNoReadMeanwhile) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t victim = BankOf::Other(leader);
  bool confirmed = false;
  bank.drop = [&](BranchId from, BranchId, const Message& message) {
    confirmed |= from.value == victim && std::holds_alternative<ReadProbeResult>(message);
    return false;
  };
  const auto probe = [&] {
    bank.driver(victim).OnMessage(bank.now_ms, BranchId(leader),
                                  ReadProbe{bank.driver(victim).GetStatus().term, 1});
  };
  bank.StartRebuilding(victim);
  probe();
  EXPECT_FALSE(confirmed);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return !bank[victim].disk.rebuilding; }));
  probe();
  EXPECT_TRUE(confirmed);
}

TEST(Rebuild, RebuiltBranchCanLeadLater) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 3);
  const uint64_t victim = BankOf::Other(leader);
  bank.StartRebuilding(victim);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return !bank[victim].disk.rebuilding; }));
  bank.ElectThis(victim);
  EXPECT_EQ(bank.Balance(victim), 3);
}

TEST(Rebuild, ThroughASnapshot) {
  BankOf bank(3, SmallSnapshots());
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  Deposits(bank, leader, 100);
  const uint64_t victim = BankOf::Other(leader);
  bank.StartRebuilding(victim);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return !bank[victim].disk.rebuilding; }));
  EXPECT_EQ(bank.Balance(victim), 100);
}

// A majority must not be made of a branch that forgot: with the other voter away, nobody is elected
// until it is back.
TEST(Rebuild, DoesNotElectALeaderThatLacksWhatWasCommitted) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t victim = BankOf::Other(leader);
  const uint64_t behind = 6 - leader - victim;
  bank.Crash(behind);
  Deposits(bank, leader, 5);  // held by the leader and the victim
  bank.Crash(leader);
  bank.StartRebuilding(victim);
  bank[behind].Start(bank.now_ms);
  bank.Advance(20'000);
  EXPECT_EQ(bank.leader(), 0u);
  bank[leader].Start(bank.now_ms);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return !bank[victim].disk.rebuilding; }));
  for (uint64_t id : {1, 2, 3}) EXPECT_EQ(bank.Balance(id), 5) << id;
}

}  // namespace
}  // namespace bank::replication
