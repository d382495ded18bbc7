// Goal: guards of core.c whose fault only a whole bank can show (docs/ENGINE.md). Method: the same
// steps with the guard on and off.
#include <gtest/gtest.h>

#include <algorithm>

#include "branch/replication/engine/core.h"
#include "tests/support/bank_of.h"

namespace bank::replication {
namespace {

DriverOptions Without(uint32_t guards) {
  DriverOptions options;
  options.engine_guards_off = guards;
  return options;
}

bool CarriesAChange(const Message& message) {
  const auto* append = std::get_if<AppendEntries>(&message);
  return append != nullptr &&
         std::any_of(append->entries.begin(), append->entries.end(),
                     [](const auto& entry) { return entry.type == storage::EntryType::kChange; });
}

// Two standbys become voters and are not sent the news; then their leader is lost. Both are up and
// reachable, but do not know that they may vote.
struct Laggards {
  explicit Laggards(uint32_t guards_off) : bank(5, Without(guards_off), 3) {
    bank.ElectThis(1);
    bank.Advance(300);
    bank.drop = [](BranchId, BranchId to, const Message&) { return to == BranchId(4); };
    first = bank.Change(1, 4, MemberTarget::kVoter);
    bank.Advance(1'500);
    bank.drop = [](BranchId, BranchId to, const Message& message) {
      return to == BranchId(4) || (to == BranchId(5) && CarriesAChange(message));
    };
    second = bank.Change(1, 5, MemberTarget::kVoter, 3'000);
  }
  BankOf bank;
  std::optional<ChangeResult> first;
  std::optional<ChangeResult> second;
};

TEST(Guard6, DoublePromotionWithLaggardsIsRefused) {
  Laggards laggards(0);
  ExpectDone(laggards.first);
  ExpectRefused(laggards.second, "branch 4 votes and does not answer");
  BankOf& bank = laggards.bank;
  bank.drop = nullptr;
  bank.Advance(300);
  ExpectDone(bank.Change(1, 5, MemberTarget::kVoter));
  bank.Crash(1);
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != 0; }));
}

TEST(Guard6, WithoutItNoLeaderIsEverElectedAgain) {
  Laggards laggards(CORE_GUARD(6));
  ExpectDone(laggards.first);
  ExpectDone(laggards.second);
  BankOf& bank = laggards.bank;
  bank.Crash(1);
  bank.drop = nullptr;
  bank.Advance(120'000);
  EXPECT_EQ(bank.leader(), 0u) << "four of five voters are up";
}

std::optional<ChangeResult> PromoteAnIdleStandby(uint32_t guards_off) {
  BankOf bank(4, Without(guards_off), 3);
  const uint64_t leader = bank.Elect();
  bank.Advance(300);
  return bank.Change(leader, 4, MemberTarget::kVoter, 60'000);
}
TEST(Guard11, AnIdleStandbyThatHasEverythingIsPromotedAtOnce) {
  ExpectDone(PromoteAnIdleStandby(0));
  ExpectRefused(PromoteAnIdleStandby(CORE_GUARD(11)), "is being brought up to date");
}

// The only voter sends an entry to its standby, and crashes before its own disk has it.
std::pair<int64_t, int64_t> BalancesAfterASoleVoterRestart(uint32_t guards_off) {
  BankOf bank(2, Without(guards_off), 1);
  bank.Open(bank.Elect(), 0);
  bank.Advance(300);
  bank[1].disk_held = true;
  std::optional<ProposeResult> result;
  bank.Deposit(1, 5, &result);
  bank.Run();
  bank.Crash(1);
  bank[1].disk_held = false;
  bank[1].Start(bank.now_ms);
  bank.Elect();
  result.reset();
  bank.Deposit(1, 7, &result);
  bank.Advance(1'000);
  return {bank.Balance(1), bank.Balance(2)};
}
TEST(Guard1, SoleVoterRestart) {
  EXPECT_EQ(BalancesAfterASoleVoterRestart(0), std::pair(int64_t{7}, int64_t{7}));
  EXPECT_EQ(BalancesAfterASoleVoterRestart(CORE_GUARD(1)), std::pair(int64_t{7}, int64_t{5}))
      << "the same index and term, and other content";
}

// The better log has the lower term.
uint64_t LeaderOfTwoThatRefuseEachOther(uint32_t guards_off) {
  BankOf bank(2, Without(guards_off));
  bank.ElectThis(1);
  bank.Isolate(2);
  std::optional<ProposeResult> result;
  bank.Propose(1, {.kind = ledger::Kind::kOpenSession}, &result);
  bank.Run();
  bank.Crash(1);
  bank.Crash(2);
  bank[2].disk.hard_state = {Term(bank[2].disk.hard_state.term.value + 6), BranchId(0)};
  bank.Heal();
  bank[1].Start(bank.now_ms);
  bank[2].Start(bank.now_ms);
  bank.Advance(60'000);
  return bank.leader();
}
TEST(Guard16, ALowTermBesideAGoodLogIsNotRefusedForEver) {
  EXPECT_EQ(LeaderOfTwoThatRefuseEachOther(0), 1u);
  EXPECT_EQ(LeaderOfTwoThatRefuseEachOther(CORE_GUARD(16)), 0u);
}

// A follower's answers are lost while it takes, applies and compacts all it is sent.
int64_t BalanceOfAFollowerThatCompacted(DriverOptions options) {
  BankOf bank(3, options);
  bank.ElectThis(1);
  bank.Open(1, 0);
  bank.Advance(300);
  bank.drop = [](BranchId from, BranchId, const Message& message) {
    return from == BranchId(3) && std::holds_alternative<AppendEntriesResult>(message);
  };
  const auto deposit = [&bank](int n) {
    for (int i = 0; i < n; ++i) {
      std::optional<ProposeResult> result;
      bank.Deposit(1, 1, &result);
      bank.AdvanceUntil([&] { return result.has_value(); });
    }
  };
  deposit(40);
  bank.Advance(300);
  bank.driver(3).TakeSnapshot(bank.now_ms);
  bank.Advance(3'000);
  bank.drop = nullptr;
  deposit(5);
  bank.Advance(10'000);
  return bank.Balance(3);
}
TEST(Guard17, AFollowerThatCompactedWhatItsLeaderDoesNotKnowItHolds) {
  DriverOptions options;
  options.inflight_entries_max = 64;
  options.trailing_entries = 65;
  EXPECT_EQ(BalanceOfAFollowerThatCompacted(options), 45);
  options.trailing_entries = 4;
  options.engine_guards_off = CORE_GUARD(17) | CORE_GUARD(20);
  EXPECT_LT(BalanceOfAFollowerThatCompacted(options), 45);
}
TEST(Guard20, WhatBeginsBeforeTheSnapshotIsTakenFromTheSnapshotOn) {
  DriverOptions options;
  options.inflight_entries_max = 64;
  options.trailing_entries = 4;
  options.engine_guards_off = CORE_GUARD(17);
  EXPECT_EQ(BalanceOfAFollowerThatCompacted(options), 45);
}

}  // namespace
}  // namespace bank::replication
