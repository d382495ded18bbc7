// Goal: a bank changes its members without losing a write, a vote or its way back. Method: whole
// banks of drivers (bank_of.h) and an operator who asks for one change after the other.
#include <gtest/gtest.h>

#include "branch/replication/driver/waiters.h"
#include "tests/support/bank_of.h"

namespace bank::replication {
namespace {

using Ids = std::vector<uint64_t>;

Ids Voting(BankOf& bank, uint64_t at) {
  Ids ids;
  for (const Member& member : bank.driver(at).GetMembership().members) {
    if (member.voter) ids.push_back(member.id.value);
  }
  return ids;
}

size_t MemberCount(BankOf& bank, uint64_t at) {
  return bank.driver(at).GetMembership().members.size();
}

void DepositsInTime(BankOf& bank, uint64_t leader, int n) {
  for (int i = 0; i < n; ++i) {
    std::optional<ProposeResult> result;
    bank.Deposit(leader, 1, &result);
    ASSERT_TRUE(bank.AdvanceUntil([&] { return result.has_value(); }));
    ASSERT_EQ(result->fate, Fate::kApplied) << result->reason;
  }
}

// ---- joining

TEST(Membership, ABranchJoinsAsAVoterWhileDepositsFlow) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  bank.Join(4);
  std::optional<ChangeResult> changed;
  bank.BeginChange(leader, 4, MemberTarget::kVoter, &changed);
  int deposited = 0;
  for (; !changed.has_value(); ++deposited) {
    DepositsInTime(bank, leader, 1);
    bank.Advance(1);
  }
  ExpectDone(changed);
  bank.Advance(300);
  EXPECT_EQ(Voting(bank, 4), (Ids{1, 2, 3, 4}));
  EXPECT_EQ(bank.Balance(4), deposited);
  EXPECT_FALSE(bank[4].disk.rebuilding);
  for (uint64_t id : {1, 2, 3, 4}) {
    const Membership membership = bank.driver(id).GetMembership();
    EXPECT_TRUE(membership.committed) << id;
    EXPECT_EQ(membership.index, changed->index) << id;
    EXPECT_EQ(membership.members[0], (Member{BranchId(1), BankOf::Address(1), true})) << id;
    EXPECT_EQ(membership.members[3], (Member{BranchId(4), BankOf::Address(4), true})) << id;
  }
}

TEST(Membership, EachTargetIsReachedFromEachOther) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  bank.Join(4);
  LogIndex last;
  using enum MemberTarget;
  for (const MemberTarget target : {kStandby, kVoter, kStandby, kGone, kVoter, kGone, kStandby}) {
    const std::optional<ChangeResult> changed = bank.Change(leader, 4, target);
    ExpectDone(changed);
    EXPECT_GT(changed->index, last);
    last = changed->index;
    DepositsInTime(bank, leader, 3);
    EXPECT_EQ(Voting(bank, leader).size(), target == kVoter ? 4u : 3u);
    EXPECT_EQ(MemberCount(bank, leader), target == kGone ? 3u : 4u);
    bank.Advance(300);
    EXPECT_EQ(bank.driver(4).GetStatus().removed, target == kGone);
  }
}

TEST(Membership, WhatIsSoAlreadyIsDoneAtOnce) {
  BankOf bank(4, {}, 3);
  const uint64_t leader = bank.Elect();
  const LogIndex before = bank.driver(leader).GetStatus().last_index;
  for (const auto& [id, target] :
       {std::pair(1, MemberTarget::kVoter), std::pair(4, MemberTarget::kStandby),
        std::pair(9, MemberTarget::kGone)}) {
    const std::optional<ChangeResult> changed = bank.Change(leader, id, target);
    ExpectDone(changed);
    EXPECT_EQ(changed->index, LogIndex(0));
  }
  EXPECT_EQ(bank.driver(leader).GetStatus().last_index, before);
}

TEST(Membership, ANewBranchIsFilledThroughASnapshot) {
  BankOf bank(3, SmallSnapshots());
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  DepositsInTime(bank, leader, 100);
  bank.Join(4);
  ExpectDone(bank.Change(leader, 4, MemberTarget::kVoter));
  EXPECT_GE(bank.driver(4).GetStatus().snapshot_index, LogIndex(80));
  bank.Advance(300);
  EXPECT_EQ(bank.Balance(4), 100);
  // The next snapshots carry the changed membership, and a restart begins with it.
  DepositsInTime(bank, leader, 60);
  bank.Advance(300);
  for (uint64_t id : {1, 2, 3, 4}) bank.Crash(id);
  for (uint64_t id : {1, 2, 3, 4}) bank[id].Start(bank.now_ms);
  for (uint64_t id : {1, 2, 3, 4}) EXPECT_EQ(Voting(bank, id), (Ids{1, 2, 3, 4})) << id;
  bank.Isolate(bank.Elect());
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.driver(4).GetStatus().ready; }));
}

// Also one that the branch takes itself before it applies a change.
TEST(Membership, ASnapshotAfterOneThatWasReceivedCarriesItsMembership) {
  BankOf bank(3, SmallSnapshots());
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t laggard = BankOf::Other(leader);
  bank.Join(4);
  ExpectDone(bank.Change(leader, 4, MemberTarget::kStandby));
  bank.Isolate(laggard);
  ExpectDone(bank.Change(leader, 4, MemberTarget::kGone));
  const LogIndex changed = bank.driver(leader).GetMembership().index;
  DepositsInTime(bank, leader, 100);
  bank.Heal();
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.Balance(laggard) == 100; }));
  DepositsInTime(bank, leader, 1);
  bank.Run();
  bank.driver(laggard).TakeSnapshot(bank.now_ms);
  bank.Run();
  const storage::Snapshot& taken = *bank[laggard].disk.snapshot;
  EXPECT_EQ(taken.index, bank.driver(laggard).GetStatus().applied_index);
  EXPECT_EQ(taken.configuration_index, changed);
  EXPECT_EQ(taken.configuration, bank[leader].disk.snapshot->configuration);
}

TEST(Membership, ASnapshotHoldsNoChangeThatIsOnlyInTheLog) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  bank.Isolate(leader);
  std::optional<ChangeResult> changed;
  bank.BeginChange(leader, 4, MemberTarget::kStandby, &changed);
  ASSERT_FALSE(bank.driver(leader).GetMembership().committed);
  bank.driver(leader).TakeSnapshot(bank.now_ms);
  bank.Run();
  ASSERT_TRUE(bank[leader].disk.snapshot.has_value());
  EXPECT_EQ(bank[leader].disk.snapshot->configuration_index, LogIndex(1));
  EXPECT_EQ(bank[leader].disk.snapshot->configuration, *bank[leader].disk.entries[0].payload);
}

TEST(Membership, AStandbyThatRestartsInTheMiddleJoinsAllTheSame) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  DepositsInTime(bank, leader, 200);
  bank.Join(4);
  bank[4].disk_held = true;
  std::optional<ChangeResult> changed;
  bank.BeginChange(leader, 4, MemberTarget::kVoter, &changed, 60'000);
  bank.Advance(300);
  EXPECT_FALSE(changed.has_value());
  bank.Crash(4);
  bank.Advance(7'000);  // the engine gives its catch-up up meanwhile
  EXPECT_FALSE(changed.has_value());
  EXPECT_EQ(Voting(bank, leader), (Ids{1, 2, 3}));
  bank[4].disk_held = false;
  bank[4].Start(bank.now_ms);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return changed.has_value(); }));
  ExpectDone(changed);
  EXPECT_EQ(bank.Balance(4), 200);
}

TEST(Membership, AJoinedVoterWhoseFolderIsLostIsFilledBeforeItVotes) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  bank.Join(4);
  ExpectDone(bank.Change(leader, 4, MemberTarget::kVoter));
  DepositsInTime(bank, leader, 5);
  bank.Crash(4);
  bank[4].disk = FakeDisk{};
  bank[4].Start(bank.now_ms);
  bool voted = false;
  bank.drop = [&](BranchId from, BranchId, const Message& message) {
    const auto* vote = std::get_if<RequestVoteResult>(&message);
    voted |= from == BranchId(4) && vote != nullptr && vote->vote_granted &&
             (bank[4].disk.rebuilding || bank[4].disk.vote_floor == Term(0));
    return false;
  };
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank[4].disk.rebuilding; }));
  ASSERT_TRUE(bank.AdvanceUntil([&] { return !bank[4].disk.rebuilding; }));
  EXPECT_FALSE(voted);
  EXPECT_EQ(bank.Balance(4), 5);
  EXPECT_EQ(bank[4].fatal, "");
}

TEST(Membership, AWipedStandbyOfTheFoundingThatHadBecomeAVoterDoesNotVoteEither) {
  BankOf bank(4, {}, 3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  ExpectDone(bank.Change(leader, 4, MemberTarget::kVoter));
  DepositsInTime(bank, leader, 5);
  bank.Isolate(4);
  bank.Wipe(4);
  EXPECT_TRUE(bank.driver(4).GetStatus().bootstrapping);
  bank.Heal();
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank[4].disk.rebuilding; }));
  ASSERT_TRUE(bank.AdvanceUntil([&] { return !bank[4].disk.rebuilding; }));
  EXPECT_EQ(bank.Balance(4), 5);
}

// ---- leaving

TEST(Membership, AFollowerIsRemovedAndSaysSo) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 5);
  const uint64_t gone = BankOf::Other(leader);
  ExpectDone(bank.Change(leader, gone, MemberTarget::kGone));
  bank.Run();
  const ReplicatorStatus status = bank.driver(gone).GetStatus();
  EXPECT_TRUE(status.removed);
  EXPECT_EQ(status.role, Role::kLearner);
  EXPECT_EQ(status.leader, BranchId(0));
  EXPECT_FALSE(status.ready);
  const Term term = bank.driver(leader).GetStatus().term;
  bank.Advance(10'000);
  EXPECT_EQ(bank.driver(leader).GetStatus().term, term);
  EXPECT_EQ(bank.driver(gone).NextDeadlineMs(), kNever);
  DepositsInTime(bank, leader, 3);
  EXPECT_EQ(bank.Balance(leader), 8);
}

TEST(Membership, ARemovedBranchThatWasAwayIsToldWhenItAsksForVotes) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 5);
  const uint64_t gone = BankOf::Other(leader);
  bank.Crash(gone);
  bank.Advance(2'000);
  ExpectDone(bank.Change(leader, gone, MemberTarget::kGone));  // of the dead no answer is wanted
  bank[gone].Start(bank.now_ms);
  const Term term = bank.driver(leader).GetStatus().term;
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.driver(gone).GetStatus().removed; }));
  bank.Advance(5'000);
  EXPECT_EQ(bank.driver(leader).GetStatus().term, term);
  EXPECT_EQ(bank.leader(), leader);
}

TEST(Membership, ARemovedBranchComesBack) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t gone = BankOf::Other(leader);
  ExpectDone(bank.Change(leader, gone, MemberTarget::kGone));
  DepositsInTime(bank, leader, 5);
  std::optional<ChangeResult> changed;
  bank.driver(leader).ChangeMember(
      bank.now_ms, {BranchId(gone), MemberTarget::kVoter, BankOf::Address(gone)},
      bank.now_ms + 20'000, [&](ChangeResult r) { changed = std::move(r); });
  ASSERT_TRUE(bank.AdvanceUntil([&] { return changed.has_value(); }));
  ExpectDone(changed);
  EXPECT_FALSE(bank.driver(gone).GetStatus().removed);
  EXPECT_EQ(bank[gone].removals,
            (std::vector<std::pair<bool, uint64_t>>{{true, leader}, {false, leader}}));
  EXPECT_EQ(bank.Balance(gone), 5);
  bank.ElectThis(gone);
}

TEST(Membership, TheLeaderRemovesItself) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 5);
  ExpectDone(bank.Change(leader, leader, MemberTarget::kGone));
  EXPECT_TRUE(bank.driver(leader).GetStatus().removed);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != leader && bank.leader() != 0; }));
  const uint64_t next = bank.Elect();
  DepositsInTime(bank, next, 3);
  EXPECT_EQ(bank.Balance(next), 8);
  EXPECT_EQ(Voting(bank, next).size(), 2u);
  bank.Crash(leader);
  bank[leader].Start(bank.now_ms);
  EXPECT_TRUE(bank.driver(leader).GetStatus().removed);
}

TEST(Membership, TheLeaderBecomesAStandby) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 5);
  ExpectDone(bank.Change(leader, leader, MemberTarget::kStandby));
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != leader && bank.leader() != 0; }));
  const uint64_t next = bank.Elect();
  DepositsInTime(bank, next, 3);
  bank.Advance(300);
  EXPECT_EQ(bank.Balance(leader), 8);
  EXPECT_EQ(bank.driver(leader).GetStatus().role, Role::kLearner);
  EXPECT_FALSE(bank.driver(leader).GetStatus().removed);
}

TEST(Membership, AllFoundersAreReplaced) {
  BankOf bank(3, SmallSnapshots());
  bank.Open(bank.Elect(), 0);
  int deposited = 0;
  for (uint64_t id : {4, 5, 6}) {
    bank.Join(id);
    ExpectDone(bank.Change(bank.Elect(), id, MemberTarget::kVoter));
    DepositsInTime(bank, bank.Elect(), 7);
    ExpectDone(bank.Change(bank.Elect(), id - 3, MemberTarget::kGone));
    ASSERT_TRUE(bank.AdvanceUntil(
        [&] { return bank.leader() != 0 && !bank.driver(bank.leader()).GetStatus().removed; }));
    DepositsInTime(bank, bank.Elect(), 8);
    deposited += 15;
    bank.Crash(id - 3);
  }
  EXPECT_EQ(Voting(bank, bank.Elect()), (Ids{4, 5, 6}));
  bank.Advance(300);
  for (uint64_t id : {4, 5, 6}) EXPECT_EQ(bank.Balance(id), deposited) << id;
}

TEST(Membership, ReadsAreConfirmedByThoseWhoVoteNow) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  bank.Join(4);
  ExpectDone(bank.Change(leader, 4, MemberTarget::kVoter));
  const uint64_t other = BankOf::Other(leader);
  ExpectDone(bank.Change(leader, other, MemberTarget::kGone));
  bank.Crash(other);
  bank.Isolate(6 - leader - other);
  std::optional<absl::StatusOr<LogIndex>> index;
  const auto read = [&] {
    index.reset();
    bank.driver(leader).ReadIndex(bank.now_ms, bank.now_ms + 300,
                                  [&](absl::StatusOr<LogIndex> i) { index = std::move(i); });
    bank.Advance(400);
  };
  read();
  ASSERT_TRUE(index.has_value());
  EXPECT_TRUE(index->ok()) << "the leader and the branch that joined are two of three";
  bank.Isolate(4);
  read();
  ASSERT_TRUE(index.has_value());
  EXPECT_FALSE(index->ok());
}

// ---- refusals

TEST(MembershipRefusal, WhatCanNeverBe) {
  BankOf bank(4, {}, 3);
  const uint64_t leader = bank.Elect();
  struct Row {
    MemberChange change;
    std::string reason;
  };
  const std::string address = BankOf::Address(9);
  for (const Row& row : std::vector<Row>{
           {{BranchId(0), MemberTarget::kVoter, address}, "0 is no number"},
           {{BranchId(uint64_t{1} << 32), MemberTarget::kVoter, address}, "is no number"},
           {{BranchId(9), MemberTarget::kVoter, ""}, "an address is needed"},
           {{BranchId(9), MemberTarget::kStandby, ""}, "an address is needed"},
           {{BranchId(9), MemberTarget::kStandby, "branch-7"}, "HOST:PORT"},
           {{BranchId(9), MemberTarget::kStandby, ":1"}, "HOST:PORT"},
           {{BranchId(9), MemberTarget::kStandby, "a b:1"}, "HOST:PORT"},
           {{BranchId(9), MemberTarget::kStandby, std::string("a\0:1", 4)}, "HOST:PORT"},
           {{BranchId(9), MemberTarget::kStandby, std::string(300, 'a') + ":1"}, "HOST:PORT"},
           {{BranchId(9), MemberTarget::kVoter, BankOf::Address(2)}, "is the address of branch 2"},
           {{BranchId(2), MemberTarget::kStandby, address}, "branch 2 is a member at"},
       }) {
    std::optional<ChangeResult> changed;
    bank.driver(leader).ChangeMember(bank.now_ms, row.change, bank.now_ms + 1'000,
                                     [&](ChangeResult r) { changed = std::move(r); });
    ExpectRefused(changed, row.reason);
  }
  EXPECT_EQ(MemberCount(bank, leader), 4u);
}

TEST(MembershipRefusal, ABranchThatDoesNotLead) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Join(4);
  ExpectRefused(bank.Change(BankOf::Other(leader), 4, MemberTarget::kVoter), "does not lead");
  bank.driver(leader).Stop("the test ends");
  ExpectRefused(bank.Change(leader, 4, MemberTarget::kVoter), "does not lead");
}

TEST(MembershipRefusal, ABankOfOneVoterStaysOne) {
  BankOf bank(2, {}, 1);
  const uint64_t leader = bank.Elect();
  bank.Join(3);
  ExpectDone(bank.Change(leader, 3, MemberTarget::kStandby));
  ExpectRefused(bank.Change(leader, 3, MemberTarget::kVoter), "stays one");
  ExpectRefused(bank.Change(leader, leader, MemberTarget::kGone), "two voters must remain");
  ExpectDone(bank.Change(leader, 3, MemberTarget::kGone));
}

TEST(MembershipRefusal, TwoVotersRemain) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  const uint64_t other = BankOf::Other(leader);
  ExpectDone(bank.Change(leader, other, MemberTarget::kStandby));
  ExpectRefused(bank.Change(leader, 6 - leader - other, MemberTarget::kGone), "two voters");
  ExpectRefused(bank.Change(leader, leader, MemberTarget::kStandby), "two voters");
  ExpectDone(bank.Change(leader, other, MemberTarget::kVoter));
}

TEST(MembershipRefusal, OneAtATime) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Join(4);
  bank.Join(5);
  std::optional<ChangeResult> first;
  std::optional<ChangeResult> second;
  bank[4].disk_held = true;
  bank.BeginChange(leader, 4, MemberTarget::kVoter, &first);
  bank.BeginChange(leader, 5, MemberTarget::kVoter, &second);
  ExpectRefused(second, "that of branch 4 is under way");
  bank[4].disk_held = false;
  ASSERT_TRUE(bank.AdvanceUntil([&] { return first.has_value(); }));
  ExpectDone(first);
  ExpectDone(bank.Change(leader, 5, MemberTarget::kVoter));
}

TEST(MembershipRefusal, AVoterThatDoesNotAnswer) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Join(4);
  const uint64_t silent = BankOf::Other(leader);
  bank.Isolate(silent);
  bank.Advance(1'500);
  const std::string name = "branch " + std::to_string(silent);
  ExpectRefused(bank.Change(leader, 4, MemberTarget::kStandby, 3'000),
                name + " votes and does not answer");
  EXPECT_EQ(MemberCount(bank, leader), 3u);
  // What stands against it is told while it is waited for; then it goes on.
  std::optional<ChangeResult> changed;
  bank.BeginChange(leader, 4, MemberTarget::kStandby, &changed);
  bank.Advance(1'000);
  EXPECT_EQ(bank.driver(leader).GetMembership().waits_for, name + " votes and does not answer");
  EXPECT_EQ(bank.driver(leader).GetMembership().change->branch, BranchId(4));
  bank.Heal();
  ASSERT_TRUE(bank.AdvanceUntil([&] { return changed.has_value(); }));
  ExpectDone(changed);
}

TEST(MembershipRefusal, AVoterThatLacksTheLastChange) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Join(4);
  const uint64_t slow = BankOf::Other(leader);
  bank[slow].disk_held = true;  // it answers, and acknowledges nothing new
  ExpectDone(bank.Change(leader, 4, MemberTarget::kStandby));
  ExpectRefused(bank.Change(leader, 4, MemberTarget::kGone, 3'000), "hold the last change");
  bank[slow].disk_held = false;
  ExpectDone(bank.Change(leader, 4, MemberTarget::kGone));
}

TEST(MembershipRefusal, PromotionOfALaggard) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  bank.Join(4);
  ExpectDone(bank.Change(leader, 4, MemberTarget::kStandby));
  bank.Advance(300);
  bank[4].disk_held = true;
  DepositsInTime(bank, leader, 100);
  ExpectRefused(bank.Change(leader, 4, MemberTarget::kVoter, 20'000), "brought up to date");
  bank.Isolate(4);
  bank.Advance(1'500);
  ExpectRefused(bank.Change(leader, 4, MemberTarget::kVoter, 3'000), "branch 4 does not answer");
  EXPECT_EQ(Voting(bank, leader), (Ids{1, 2, 3}));
  bank.Heal();
  bank[4].disk_held = false;
  ExpectDone(bank.Change(leader, 4, MemberTarget::kVoter));
  EXPECT_EQ(bank.Balance(4), 100);
}

TEST(MembershipRefusal, JoiningThatEndsHalfWaySaysSo) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  ExpectRefused(bank.Change(leader, 4, MemberTarget::kVoter, 3'000), "was made a standby");
  EXPECT_EQ(MemberCount(bank, leader), 4u);
  bank.Join(4);
  ExpectDone(bank.Change(leader, 4, MemberTarget::kVoter));
}

TEST(MembershipRefusal, NoTransferMeanwhileAndNoChangeDuringATransfer) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  const uint64_t to = BankOf::Other(leader);
  bank.Join(4);
  bank[to].disk_held = true;
  DepositsInTime(bank, leader, 0);
  std::optional<ProposeResult> result;
  bank.Propose(leader, {.kind = ledger::Kind::kOpenSession}, &result);
  bank.Run();
  std::optional<absl::Status> over;
  bank.Transfer(leader, to, &over);
  EXPECT_FALSE(over.has_value());
  ExpectRefused(bank.Change(leader, 4, MemberTarget::kStandby, 500), "being transferred");
  bank.Advance(5'000);
  bank[to].disk_held = false;
  const uint64_t now = bank.Elect();
  std::optional<ChangeResult> changed;
  bank[4].disk_held = true;
  bank.BeginChange(now, 4, MemberTarget::kVoter, &changed);
  bank.Advance(100);
  EXPECT_FALSE(changed.has_value());
  over.reset();
  bank.Transfer(now, 0, &over);
  EXPECT_EQ(over.value().message(), "a change of the membership is under way");
  bank[4].disk_held = false;
  ASSERT_TRUE(bank.AdvanceUntil([&] { return changed.has_value(); }));
  ExpectDone(changed);
}

// ---- the leader is lost meanwhile

TEST(MembershipUnknown, TheLeaderIsCutOffWithTheChangeInItsLog) {
  BankOf bank(3);
  const uint64_t old = bank.Elect();
  bank.Open(old, 0);
  bank.Join(4);
  bank.Isolate(old);
  std::optional<ChangeResult> changed;
  bank.BeginChange(old, 4, MemberTarget::kStandby, &changed, 60'000);
  EXPECT_EQ(MemberCount(bank, old), 4u);
  EXPECT_FALSE(bank.driver(old).GetMembership().committed);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return changed.has_value(); }));
  EXPECT_EQ(changed->fate, ChangeFate::kUnknown);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != old && bank.leader() != 0; }));
  const uint64_t next = bank.Elect();
  DepositsInTime(bank, next, 3);
  bank.Heal();
  bank.Advance(500);
  EXPECT_EQ(MemberCount(bank, old), 3u) << "another entry stands in its place";
  ExpectDone(bank.Change(bank.Elect(), 4, MemberTarget::kVoter));
  bank.Advance(500);
  EXPECT_EQ(Voting(bank, old), (Ids{1, 2, 3, 4}));
}

TEST(MembershipUnknown, TheNextLeaderCommitsIt) {
  BankOf bank(3);
  const uint64_t old = bank.Elect();
  bank.Open(old, 0);
  bank.Join(4);
  // The others take the change, and their leader never hears of it.
  bank.drop = [&](BranchId, BranchId to, const Message& message) {
    return to == BranchId(old) && std::holds_alternative<AppendEntriesResult>(message);
  };
  std::optional<ChangeResult> changed;
  bank.BeginChange(old, 4, MemberTarget::kStandby, &changed, 60'000);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return changed.has_value(); }));
  EXPECT_EQ(changed->fate, ChangeFate::kUnknown);
  bank.Crash(old);
  bank.drop = nullptr;
  const uint64_t next = bank.Elect();
  EXPECT_EQ(MemberCount(bank, next), 4u);
  EXPECT_TRUE(bank.driver(next).GetMembership().committed);
  const std::optional<ChangeResult> again = bank.Change(next, 4, MemberTarget::kStandby);
  ExpectDone(again);
  EXPECT_EQ(again->index, LogIndex(0));
}

TEST(MembershipUnknown, TheTimeIsUpWhileItIsInTheLog) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Join(4);
  for (uint64_t id : {1, 2, 3}) bank[id].disk_held = true;
  std::optional<ChangeResult> changed = bank.Change(leader, 4, MemberTarget::kStandby, 500);
  ASSERT_TRUE(changed.has_value());
  EXPECT_EQ(changed->fate, ChangeFate::kUnknown);
  ExpectRefused(bank.Change(leader, 4, MemberTarget::kGone, 300), "before it is not committed");
  for (uint64_t id : {1, 2, 3}) bank[id].disk_held = false;
  bank.Advance(300);
  EXPECT_EQ(MemberCount(bank, leader), 4u);
}

TEST(MembershipUnknown, AllCrashInTheMiddle) {
  for (int64_t after_ms = 0; after_ms < 6; ++after_ms) {
    BankOf bank(3);
    const uint64_t leader = bank.Elect();
    bank.Open(leader, 7);
    bank.Join(4);
    std::optional<ChangeResult> changed;
    for (uint64_t id : {1, 2, 3, 4}) bank[id].disk_held = (id + after_ms) % 2 == 0;
    bank.BeginChange(leader, 4, MemberTarget::kVoter, &changed);
    bank.Advance(after_ms);
    for (uint64_t id : {1, 2, 3, 4}) {
      bank.Crash(id);
      bank[id].disk_held = false;
      bank[id].Start(bank.now_ms);
    }
    ExpectDone(bank.Change(bank.Elect(), 4, MemberTarget::kVoter));
    bank.Advance(500);
    for (uint64_t id : {1, 2, 3, 4}) EXPECT_EQ(Voting(bank, id), (Ids{1, 2, 3, 4})) << after_ms;
    EXPECT_EQ(bank.Balance(4), 7);
  }
}

// Found by the simulation: the branch applied its removal of long ago once more, believed itself
// gone, and led the bank without a timer: nobody could do anything any more.
TEST(Membership, ABranchThatCameBackLeadsAfterARestart) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 5);
  const uint64_t back = BankOf::Other(leader);
  for (const MemberTarget target : {MemberTarget::kGone, MemberTarget::kVoter}) {
    std::optional<ChangeResult> changed;
    bank.driver(leader).ChangeMember(
        bank.now_ms, {BranchId(back), target, BankOf::Address(back)}, bank.now_ms + 20'000,
        [&changed](ChangeResult result) { changed = std::move(result); });
    ASSERT_TRUE(bank.AdvanceUntil([&] { return changed.has_value(); }));
    EXPECT_EQ(changed->fate, ChangeFate::kDone) << changed->reason;
  }
  bank.Advance(500);
  // Nothing is applied yet when they start; the one that came back has the shortest patience.
  for (uint64_t id = 1; id <= 3; ++id) bank.Crash(id);
  bank[back].Start(bank.now_ms);
  bank[BankOf::Other(back)].Start(bank.now_ms);
  bank.ElectThis(back);
  bank.Advance(5'000);
  EXPECT_EQ(bank.leader(), back);
  EXPECT_FALSE(bank.driver(back).GetStatus().removed);
  std::optional<ProposeResult> result;
  bank.Deposit(back, 1, &result);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return result.has_value(); }));
  EXPECT_EQ(result->fate, Fate::kApplied) << result->reason;
}

}  // namespace
}  // namespace bank::replication
