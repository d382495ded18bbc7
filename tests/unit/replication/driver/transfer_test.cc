// Goal: leadership goes where it is handed to, without losing a write, and the end is told.
// Method: drivers of three branches, a target that is deaf, down, or overtaken by another.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/support/bank_of.h"

namespace bank::replication {
namespace {

TEST(Transfer, MovesTheLeadershipWithoutLosingProposals) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t target = BankOf::Other(leader);
  bank[leader].disk_held = true;
  std::optional<ProposeResult> before;
  bank.Deposit(leader, 5, &before);
  std::optional<absl::Status> over;
  bank.Transfer(leader, target, &over);
  EXPECT_FALSE(over.has_value());
  std::optional<ProposeResult> during;
  bank.Deposit(leader, 7, &during);
  bank[leader].disk_held = false;
  const int64_t started = bank.now_ms;
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() == target; }));
  EXPECT_LE(bank.now_ms - started, 5);
  bank.Elect();
  EXPECT_TRUE(over.value().ok());
  ASSERT_TRUE(during.has_value());
  EXPECT_EQ(during->fate, Fate::kNotApplied);
  EXPECT_EQ(before->fate, Fate::kApplied);
}

TEST(Transfer, IsTheLeadersToBeginAndTheOthersSayWhoThatIs) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t other = BankOf::Other(leader);
  std::optional<absl::Status> over;
  bank.Transfer(other, other, &over);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return over.has_value(); }));
  EXPECT_EQ(over->code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(over->message(),
            "this branch does not lead: branch " + std::to_string(leader) + " does");
}

TEST(Transfer, WhatWaitedMeanwhileTakesNoRoomAfterwards) {
  DriverOptions options;
  options.proposals_bytes_max = 100;
  BankOf bank(3, options);
  bank.Open(bank.Elect(), 0);
  for (int round = 0; round < 12; ++round) {
    const uint64_t leader = bank.Elect();
    std::optional<absl::Status> over;
    bank.Transfer(leader, BankOf::Other(leader), &over);
    std::vector<std::optional<ProposeResult>> waited(3);
    for (auto& result : waited) {
      bank.Deposit(leader, 1, &result);
      EXPECT_FALSE(result.has_value()) << result->reason;
    }
    ASSERT_TRUE(bank.AdvanceUntil([&] { return over.has_value(); }));
    for (const auto& result : waited) EXPECT_EQ(result->fate, Fate::kNotApplied);
  }
  EXPECT_EQ(bank.Balance(bank.Elect()), 0);
}

TEST(Transfer, IsGivenUpIfTheTargetIsDeaf) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t target = BankOf::Other(leader);
  bank.Crash(target);
  std::optional<ProposeResult> missed;
  bank.Deposit(leader, 1, &missed);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return missed.has_value(); }));
  std::optional<absl::Status> over;
  bank.Transfer(leader, target, &over);
  std::optional<ProposeResult> result;
  bank.Deposit(leader, 5, &result, 10'000);
  bank.Advance(100);
  EXPECT_FALSE(result.has_value()) << "else the target never holds the whole log of a busy bank";
  ASSERT_TRUE(bank.AdvanceUntil([&] { return result.has_value(); }, 5'000));
  EXPECT_EQ(result->fate, Fate::kApplied);
  EXPECT_EQ(bank.leader(), leader);
  EXPECT_EQ(over.value().code(), absl::StatusCode::kUnavailable);
}

TEST(Transfer, IsOverWhenAnyoneElseLeads) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t target = BankOf::Other(leader);
  const uint64_t third = 6 - leader - target;
  bank.Crash(target);
  std::optional<absl::Status> over;
  bank.Transfer(leader, target, &over);
  bank.Isolate(leader);
  bank[target].Start(bank.now_ms);
  ASSERT_TRUE(bank.AdvanceUntil([&] {
    for (const uint64_t id : {target, third}) {
      if (bank.driver(id).GetStatus().role == Role::kLeader) return true;
    }
    return false;
  }));
  EXPECT_FALSE(over.has_value()) << "nobody told it";
  bank.Heal();
  ASSERT_TRUE(bank.AdvanceUntil([&] { return over.has_value(); }));
  EXPECT_TRUE(over->ok()) << *over;
}

TEST(Transfer, FailedIfTheSameBranchLeadsAgain) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  const uint64_t target = BankOf::Other(leader);
  bank.asleep = {target, 6 - leader - target};
  std::optional<absl::Status> over;
  bank.Transfer(leader, target, &over);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() == 0; }));
  bank.asleep.clear();
  bank.drop = [&](BranchId from, BranchId, const Message& message) {
    return from.value != leader && std::holds_alternative<RequestVote>(message);
  };
  ASSERT_TRUE(bank.AdvanceUntil([&] { return over.has_value(); }));
  EXPECT_EQ(over->code(), absl::StatusCode::kAborted) << *over;
  EXPECT_EQ(bank.leader(), leader);
}

TEST(Transfer, OfABranchThatStopsIsAnswered) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  bank.Crash(BankOf::Other(leader));
  std::optional<absl::Status> over;
  bank.Transfer(leader, BankOf::Other(leader), &over);
  bank.driver(leader).Stop("stopping");
  EXPECT_EQ(over.value(), absl::UnavailableError("stopping"));
}

TEST(Transfer, NeedsAnotherVoter) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  const auto refusal = [&](uint64_t from, uint64_t to) {
    std::optional<absl::Status> over;
    bank.Transfer(from, to, &over);
    return over.value().code();
  };
  EXPECT_EQ(refusal(leader, leader), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refusal(leader, 9), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refusal(BankOf::Other(leader), 0), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace bank::replication
