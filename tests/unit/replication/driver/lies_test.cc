// Goal: nothing that is said once, in the name of a branch that never said it, does lasting harm:
// no branch stops, forgets that it is a member, or takes its folder for a wiped one or a new one.
// What is true is still believed. Method: bank_of.h, with messages that nobody sent.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/bank_of.h"

namespace bank::replication {
namespace {

const LogIndex kFarAhead(1'000'000);

std::vector<uint64_t> Others(uint64_t id) { return {id % 3 + 1, (id + 1) % 3 + 1}; }

void Lie(BankOf& bank, uint64_t to, uint64_t in_the_name_of, Message message) {
  bank.driver(to).OnMessage(bank.now_ms, BranchId(in_the_name_of), std::move(message));
}

void ExpectTakesDeposits(BankOf& bank) {
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != 0; }));
  std::optional<ProposeResult> result;
  bank.Deposit(bank.Elect(), 1, &result);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return result.has_value(); }));
  EXPECT_EQ(result->fate, Fate::kApplied) << result->reason;
}

TEST(Lies, ARefusalInTheLeadersNameStopsNobody) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 100);
  for (const bool leader_is_gone : {false, true}) {
    if (leader_is_gone) bank.Crash(leader);
    for (const uint64_t told : Others(leader)) {
      const Term term = bank.driver(told).GetStatus().term;
      ASSERT_EQ(bank.driver(told).GetStatus().leader, BranchId(leader));
      Lie(bank, told, leader, LogBehindAcknowledged{term, kFarAhead});
      bank.Run();
      EXPECT_EQ(bank[told].fatal, "");
    }
  }
  ExpectTakesDeposits(bank);
}

// Nobody leads, so no leader's word makes it good again.
TEST(Lies, WhoeverIsSaidToBeNoMemberStillCampaigns) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 100);
  bank.Crash(leader);
  for (const uint64_t told : Others(leader)) {
    for (const uint64_t from : Others(told)) {
      Lie(bank, told, from, NoMember{bank.driver(told).GetStatus().term, kFarAhead});
    }
    bank.Run();
    EXPECT_FALSE(bank.driver(told).GetStatus().removed);
  }
  ExpectTakesDeposits(bank);
}

TEST(Lies, ABranchOfANewBankIsNotFilledByALeaderThatThereIsNot) {
  BankOf bank(3);
  for (const uint64_t told : {1, 2, 3}) {
    for (const uint64_t from : Others(told)) {
      Lie(bank, told, from, AppendEntries{1, Term(2), LogIndex(0), Term(0), LogIndex(0), {}});
      Lie(bank, told, from, InstallSnapshot{1, Term(2), {}});
    }
  }
  bank.Open(bank.Elect(), 100);
  for (const uint64_t id : {1, 2, 3}) EXPECT_FALSE(bank[id].disk.rebuilding) << id;
}

// Two of three folders are gone, and the third branch lacks what only they had acknowledged. Lies
// in all names must not make the two believe that nobody holds anything.
TEST(Lies, AWipedBranchIsNotToldByAStrangerThatTheBankIsNew) {
  for (const bool lost : {false, true}) {
    BankOf bank(3);
    const uint64_t lagging = BankOf::Other(bank.Elect());
    bank.Open(bank.leader(), 0);
    bank.Isolate(lagging);
    Deposits(bank, bank.Elect(), 5);
    for (const uint64_t wiped : Others(lagging)) bank.Wipe(wiped);
    for (int times = 0; times < 20; ++times) {
      for (const uint64_t wiped : Others(lagging)) {
        for (const uint64_t from : Others(wiped)) {
          const uint64_t guess = 1 + static_cast<uint64_t>(times);
          Lie(bank, wiped, from, ChallengeResult{.term = Term(1), .nonce = guess, .lost = lost});
        }
      }
      bank.Advance(100);
    }
    EXPECT_EQ(bank.leader(), 0u);
    bank.Heal();
    bank.Advance(20'000);
    EXPECT_EQ(bank.leader(), 0u) << "it would lack what was acknowledged";
    for (const uint64_t wiped : Others(lagging)) EXPECT_TRUE(bank[wiped].disk.rebuilding);
  }
}

// What nobody else holds must not be committed, and its loss not be held against anybody.
TEST(Lies, AMadeUpAcknowledgementCountsForNothing) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 100);
  const ReplicatorStatus before = bank.driver(leader).GetStatus();
  bank.Isolate(leader);
  std::optional<ProposeResult> result;
  bank.Deposit(leader, 5, &result);
  bank.Run();
  ASSERT_EQ(bank.driver(leader).GetStatus().last_index, before.last_index.Next());
  for (uint64_t life = 0; life < 100; ++life) {
    for (const uint64_t name : Others(leader)) {
      AppendEntriesResult made_up{1, before.term, LogIndex(0), before.last_index.Next(), 0, 0};
      made_up.life = life;
      Lie(bank, leader, name, made_up);
    }
    bank.Run();
  }
  EXPECT_EQ(bank.driver(leader).GetStatus().commit_index, before.commit_index);
  EXPECT_FALSE(result.has_value());
  bank.Heal();
  ASSERT_TRUE(bank.AdvanceUntil([&] { return result.has_value(); }));
  for (const uint64_t id : {1, 2, 3}) EXPECT_EQ(bank[id].fatal, "");
  ExpectTakesDeposits(bank);
}

// Before a new process has been asked back nothing that it acknowledges counts; then all does.
TEST(Lies, WhatANewProcessAcknowledgesCountsWhenItHasSaidItself) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 100);
  bank.Crash(6 - leader - BankOf::Other(leader));
  const uint64_t other = BankOf::Other(leader);
  bank.Crash(other);
  std::optional<ProposeResult> result;
  bank.Deposit(leader, 5, &result);
  bank.Run();
  AppendEntriesResult of_another{1,           bank.driver(leader).GetStatus().term,
                                 LogIndex(0), bank.driver(leader).GetStatus().last_index,
                                 0,           0};
  of_another.life = bank.lives[other] + 1;
  Lie(bank, leader, other, of_another);
  EXPECT_FALSE(result.has_value());
  bank[other].Start(bank.now_ms);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return result.has_value(); }));
  EXPECT_EQ(result->fate, Fate::kApplied) << result->reason;
}

// ---- the answer

// A branch that has lost its leader and is told by 2 that it is no member any more.
struct Doubting {
  Doubting() : bank(3) {
    bank.ElectThis(3);
    bank.Open(3, 100);
    bank.Crash(3);
    bank.drop = [](BranchId, BranchId, const Message&) { return true; };
    Hear();
  }
  void Hear() {
    Lie(bank, 1, 2, NoMember{bank.driver(1).GetStatus().term, kFarAhead});
    nonce = bank.nonces[{1, 2}];
  }
  bool IsConvincedBy(uint64_t from, uint64_t answered) {
    const Term term = bank.driver(1).GetStatus().term;
    Lie(bank, 1, from,
        ChallengeResult{.term = term, .nonce = answered, .no_member_since = kFarAhead});
    return bank.driver(1).GetStatus().removed;
  }
  BankOf bank;
  uint64_t nonce = 0;
};

TEST(CallBack, OnlyWhoWasAskedCanAnswerAndOnlyWithTheNumber) {
  Doubting branch;
  ASSERT_GT(branch.nonce, 0u);
  EXPECT_FALSE(branch.IsConvincedBy(2, 0));
  EXPECT_FALSE(branch.IsConvincedBy(2, branch.nonce + 1));
  EXPECT_FALSE(branch.IsConvincedBy(3, branch.nonce)) << "it was not asked";
  EXPECT_TRUE(branch.IsConvincedBy(2, branch.nonce));
  EXPECT_EQ(branch.bank[1].removals, (std::vector<std::pair<bool, uint64_t>>{{true, 2}}));
}

TEST(CallBack, AnAnswerCountsHoweverLongItTakesAndOnce) {
  Doubting branch;
  const uint64_t first = branch.nonce;
  for (int times = 0; times < 20; ++times) {
    branch.bank.Advance(branch.bank[1].options().heartbeat_ms);
    branch.Hear();
    ASSERT_EQ(branch.nonce, first);
  }
  EXPECT_TRUE(branch.IsConvincedBy(2, first));
  Lie(branch.bank, 1, 3,
      AppendEntries{
          1, branch.bank.driver(1).GetStatus().term.Next(), LogIndex(0), Term(0), LogIndex(0), {}});
  ASSERT_FALSE(branch.bank.driver(1).GetStatus().removed);
  EXPECT_FALSE(branch.IsConvincedBy(2, first)) << "the same answer again";
}

TEST(CallBack, IsNotRepeatedForEachLie) {
  Doubting branch;
  int challenges = 0;
  branch.bank.drop = [&](BranchId, BranchId, const Message& message) {
    challenges += std::holds_alternative<Challenge>(message);
    return true;
  };
  for (int times = 0; times < 1000; ++times) branch.Hear();
  EXPECT_EQ(challenges, 0) << "it was asked in this heartbeat";
  branch.bank.Advance(branch.bank[1].options().heartbeat_ms);
  for (int times = 0; times < 1000; ++times) branch.Hear();
  EXPECT_EQ(challenges, 1);
}

// Who is asked does not repeat what somebody said in its name, but says what it knows.
TEST(CallBack, WhoeverIsAskedSaysWhatIsSo) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 100);
  const uint64_t other = BankOf::Other(leader);
  std::optional<ChallengeResult> answer;
  bank.drop = [&](BranchId, BranchId, const Message& message) {
    if (const auto* said = std::get_if<ChallengeResult>(&message)) answer = *said;
    return false;
  };
  const auto ask = [&](uint64_t asked, uint64_t asker) {
    answer.reset();
    Lie(bank, asked, asker, Challenge{Term(1), 77});
    EXPECT_EQ(answer->nonce, 77u);
    EXPECT_EQ(answer->term, bank.driver(asked).GetStatus().term);
    return *answer;
  };
  EXPECT_EQ(ask(leader, other).acknowledged, bank.driver(other).GetStatus().last_index);
  EXPECT_EQ(ask(other, leader).acknowledged, LogIndex(0)) << "it does not lead";
  EXPECT_TRUE(ask(leader, other).holds);
  EXPECT_EQ(ask(leader, other).no_member_since, LogIndex(0));
  ExpectDone(bank.Change(leader, other, MemberTarget::kGone));
  EXPECT_EQ(ask(leader, other).no_member_since, bank.driver(leader).GetMembership().index);
  bank.StartRebuilding(other);
  EXPECT_TRUE(ask(other, leader).lost);
  EXPECT_FALSE(ask(other, leader).holds);
}

// ---- reads, and what is said of the commit

// A leader that is cut off, and has been replaced, must not take a stranger's word for a
// majority's.
TEST(Lies, ReadsAreNotConfirmedByAGuess) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 100);
  bank.Isolate(leader);
  bool confirmed = false;
  bank.driver(leader).ReadIndex(bank.now_ms, bank.now_ms + 60'000,
                                [&](const absl::StatusOr<LogIndex>& at) { confirmed = at.ok(); });
  const Term term = bank.driver(leader).GetStatus().term;
  for (uint64_t round = 0; round < 1000; ++round) {
    for (const uint64_t from : Others(leader)) {
      Lie(bank, leader, from, ReadProbeResult{term, round});
    }
  }
  bank.Run();
  EXPECT_FALSE(confirmed);
}

// Else the branch would be behind for ever in what it says of itself, and never be ready.
TEST(Lies, ACommitIndexOutOfReachIsForgotten) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 100);
  const uint64_t told = BankOf::Other(leader);
  bank.Crash(told);
  std::optional<AppendEntries> heartbeat;
  bank.drop = [&](BranchId, BranchId to, const Message& message) {
    const auto* append = std::get_if<AppendEntries>(&message);
    if (append != nullptr && to.value == told) heartbeat = *append;
    return false;
  };
  ASSERT_TRUE(bank.AdvanceUntil([&] { return heartbeat.has_value(); }));
  bank[told].Start(bank.now_ms);
  heartbeat->leader_commit = LogIndex(kLogIndexMax);
  Lie(bank, told, leader, *heartbeat);
  EXPECT_TRUE(bank.AdvanceUntil([&] { return bank.driver(told).GetStatus().ready; }));
  const ReplicatorStatus status = bank.driver(told).GetStatus();
  EXPECT_EQ(status.known_commit_index, status.applied_index);
}

}  // namespace
}  // namespace bank::replication
