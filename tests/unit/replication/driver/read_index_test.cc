// Goal: a read index is given only by a leader that a majority confirmed after the read began.
// Method: drivers on a fake network (bank_of.h), and the rounds on their own.
#include "branch/replication/driver/read_index.h"

#include <gtest/gtest.h>

#include "tests/support/bank_of.h"

namespace bank::replication {
namespace {

using Answer = std::optional<absl::StatusOr<LogIndex>>;

void Ask(BankOf& bank, uint64_t id, Answer* answer, int64_t timeout_ms = 5'000) {
  bank.driver(id).ReadIndex(
      bank.now_ms, bank.now_ms + timeout_ms,
      [answer](absl::StatusOr<LogIndex> index) { *answer = std::move(index); });
}

TEST(ReadIndex, GivesTheCommitIndexAfterOneRound) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 1);
  Answer answer;
  Ask(bank, leader, &answer);
  EXPECT_FALSE(answer.has_value());
  bank.Run();
  ASSERT_TRUE(answer.has_value());
  ASSERT_TRUE(answer->ok());
  EXPECT_EQ(**answer, bank.driver(leader).GetStatus().commit_index);
}

TEST(ReadIndex, ReadsThatComeDuringARoundShareTheNext) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 1);
  int probes = 0;
  bank.drop = [&](BranchId, BranchId, const Message& message) {
    probes += std::holds_alternative<ReadProbe>(message);
    return false;
  };
  std::vector<Answer> answers(100);
  for (Answer& answer : answers) Ask(bank, leader, &answer);
  bank.Run();
  for (Answer& answer : answers) EXPECT_TRUE(answer.has_value() && answer->ok());
  EXPECT_EQ(probes, 4);  // two rounds to two voters
}

TEST(ReadIndex, FollowersRefuse) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  Answer answer;
  Ask(bank, BankOf::Other(leader), &answer);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status().code(), absl::StatusCode::kUnavailable);
}

TEST(ReadIndex, StaleLeaderGivesNone) {
  BankOf bank(3);
  const uint64_t old_leader = bank.Elect();
  bank.Open(old_leader, 100);
  bank.Isolate(old_leader);
  Answer answer;
  Ask(bank, old_leader, &answer, 60'000);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return answer.has_value(); }));
  EXPECT_EQ(answer->status().code(), absl::StatusCode::kUnavailable);
}

TEST(ReadIndex, LeaderThatSleptWhileAnotherWasElectedGivesNone) {
  BankOf bank(3);
  const uint64_t old_leader = bank.Elect();
  bank.Open(old_leader, 100);
  bank.asleep.insert(old_leader);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != old_leader; }, 20'000));
  bank.Elect();
  // Only the probes of the old leader and their answers pass: everybody is of a newer term.
  bank.asleep.clear();
  bank.drop = [&](BranchId from, BranchId to, const Message& message) {
    return (from.value == old_leader || to.value == old_leader) &&
           !std::holds_alternative<ReadProbe>(message) &&
           !std::holds_alternative<ReadProbeResult>(message);
  };
  ASSERT_EQ(bank.driver(old_leader).GetStatus().role, Role::kLeader);
  Answer answer;
  Ask(bank, old_leader, &answer, 60'000);
  bank.Run();
  EXPECT_FALSE(answer.has_value());
  ASSERT_TRUE(bank.AdvanceUntil([&] { return answer.has_value(); }));
  EXPECT_FALSE(answer->ok());
}

TEST(ReadIndex, NewLeaderWaitsForAnEntryOfItsTerm) {
  BankOf bank(3);
  bank.Open(bank.Elect(), 1);
  // No follower of the next leader stores anything.
  const uint64_t old_leader = bank.leader();
  for (uint64_t id : {1, 2, 3}) bank[id].disk_held = id != old_leader;
  bank.Crash(old_leader);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != 0; }));
  const uint64_t leader = bank.leader();
  Answer answer;
  Ask(bank, leader, &answer);
  bank.Run();
  EXPECT_FALSE(answer.has_value());
  for (uint64_t id : {1, 2, 3}) bank[id].disk_held = false;
  bank.Run();
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->ok());
}

TEST(ReadIndex, LostProbesAreRepeated) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 1);
  bool losing = true;
  bank.drop = [&](BranchId, BranchId, const Message& message) {
    return losing && std::holds_alternative<ReadProbe>(message);
  };
  Answer answer;
  Ask(bank, leader, &answer);
  bank.Run();
  EXPECT_FALSE(answer.has_value());
  losing = false;
  bank.Advance(100);
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->ok());
}

TEST(ReadIndex, DeadlinePasses) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Isolate(leader);
  Answer answer;
  Ask(bank, leader, &answer, 50);
  bank.Advance(50);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(ReadIndex, LearnersDoNotConfirm) {
  BankOf bank(6, {}, 3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 1);
  for (uint64_t id : {1, 2, 3}) {
    if (id != leader) bank.Isolate(id);
  }
  Answer answer;
  Ask(bank, leader, &answer, 100);
  bank.Advance(100);
  ASSERT_TRUE(answer.has_value());
  EXPECT_FALSE(answer->ok());
}

TEST(ReadIndexRounds, AnswersOfAnEarlierRoundDoNotCount) {
  Completions due;
  ReadIndexRounds rounds(due);
  Answer answer;
  auto ask = [&] {
    rounds.Add(1000, [&](absl::StatusOr<LogIndex> index) { answer = std::move(index); });
  };
  ask();
  rounds.Begin(7, LogIndex(5), {BranchId(2), BranchId(3)}, true);
  const uint64_t first = rounds.round();
  rounds.Confirm(BranchId(2), first);
  due.Run();
  EXPECT_EQ(**answer, LogIndex(5));
  answer.reset();
  ask();
  rounds.Begin(8, LogIndex(6), {BranchId(2), BranchId(3)}, true);
  rounds.Confirm(BranchId(3), first);
  rounds.Confirm(BranchId(9), rounds.round());
  due.Run();
  EXPECT_FALSE(answer.has_value());
  rounds.Confirm(BranchId(3), rounds.round());
  due.Run();
  EXPECT_EQ(**answer, LogIndex(6));
}

TEST(ReadIndexRounds, AMajorityOfTheVotersIsNeeded) {
  for (const bool self_votes : {true, false}) {
    for (uint64_t others = 1; others <= 6; ++others) {
      const uint64_t voters = others + (self_votes ? 1 : 0);
      std::vector<BranchId> asked;
      for (uint64_t id = 2; id < 2 + others; ++id) asked.emplace_back(id);
      Completions due;
      ReadIndexRounds rounds(due);
      rounds.Add(1'000, [](const absl::StatusOr<LogIndex>&) {});
      rounds.Begin(7, LogIndex(5), asked, self_votes);
      uint64_t said_yes = self_votes ? 1 : 0;
      for (const BranchId id : asked) {
        EXPECT_EQ(rounds.in_flight(), 2 * said_yes <= voters) << said_yes << " of " << voters;
        rounds.Confirm(id, rounds.round());
        rounds.Confirm(id, rounds.round());  // a repeated probe is answered twice
        ++said_yes;
      }
      EXPECT_FALSE(rounds.in_flight());
    }
  }
}

TEST(Waiting, CompletesWhenApplied) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 1);
  const uint64_t follower = BankOf::Other(leader);
  const LogIndex next = bank.driver(leader).GetStatus().commit_index.Next();
  const Position next_position = bank.driver(leader).ledger().position().Next();
  absl::Status by_index = absl::UnknownError("");
  absl::Status by_position = absl::UnknownError("");
  absl::Status late = absl::UnknownError("");
  Driver& driver = bank.driver(follower);
  driver.WaitApplied(bank.now_ms, next, bank.now_ms + 5'000, [&](absl::Status s) { by_index = s; });
  driver.WaitPosition(bank.now_ms, next_position, bank.now_ms + 5'000,
                      [&](absl::Status s) { by_position = s; });
  driver.WaitPosition(bank.now_ms, Position(1000), bank.now_ms + 50,
                      [&](absl::Status s) { late = s; });
  bank.Run();
  EXPECT_FALSE(by_index.ok());
  std::optional<ProposeResult> result;
  bank.Deposit(leader, 1, &result);
  bank.Advance(200);
  EXPECT_TRUE(by_index.ok());
  EXPECT_TRUE(by_position.ok());
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace bank::replication
