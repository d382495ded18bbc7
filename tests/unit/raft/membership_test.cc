// Goal: a bank changes its members without losing a write, a vote or its way back. Method: whole
// banks of drivers (bank_of.h) and an operator who asks for one change after the other.
#include <gtest/gtest.h>

#include "tests/unit/raft/bank_of.h"

namespace bank::replication {
namespace {

#define EXPECT_DONE(change)                                         \
  do {                                                              \
    const std::optional<ChangeResult> changed = (change);           \
    ASSERT_TRUE(changed.has_value());                               \
    EXPECT_EQ(changed->fate, ChangeFate::kDone) << changed->reason; \
  } while (false)

std::vector<uint64_t> Voting(BankOf& bank, uint64_t at) {
  std::vector<uint64_t> ids;
  for (const Member& member : bank.driver(at).GetMembership().members) {
    if (member.voter) ids.push_back(member.id.value);
  }
  return ids;
}

TEST(Membership, ABranchJoinsAsAVoterWhileDepositsFlow) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 0);
  bank.Join(4);
  std::optional<ChangeResult> changed;
  bank.BeginChange(leader, 4, MemberTarget::kVoter, &changed);
  int64_t deposited = 0;
  while (!changed.has_value()) {
    std::optional<ProposeResult> result;
    bank.Deposit(leader, 1, &result);
    ASSERT_TRUE(bank.AdvanceUntil([&] { return result.has_value(); }));
    ASSERT_EQ(result->fate, Fate::kApplied) << result->reason;
    ++deposited;
  }
  EXPECT_EQ(changed->fate, ChangeFate::kDone) << changed->reason;
  bank.Advance(300);
  EXPECT_EQ(Voting(bank, 4), (std::vector<uint64_t>{1, 2, 3, 4}));
  EXPECT_EQ(bank.Balance(4), deposited);
  EXPECT_FALSE(bank[4].disk.rebuilding);
  EXPECT_EQ(bank.driver(2).GetMembership().members[3],
            (Member{BranchId(4), BankOf::Address(4), true}));
}

TEST(Membership, AFollowerIsRemovedAndSaysSo) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 5);
  const uint64_t gone = BankOf::Other(leader);
  EXPECT_DONE(bank.Change(leader, gone, MemberTarget::kGone));
  bank.Advance(5'000);
  EXPECT_TRUE(bank.driver(gone).GetStatus().removed);
  EXPECT_EQ(bank.leader(), leader);
}

TEST(Membership, TheLeaderRemovesItself) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
  bank.Open(leader, 5);
  EXPECT_DONE(bank.Change(leader, leader, MemberTarget::kGone));
  ASSERT_TRUE(bank.AdvanceUntil([&] { return bank.leader() != leader && bank.leader() != 0; }));
  EXPECT_TRUE(bank.driver(leader).GetStatus().removed);
  EXPECT_EQ(bank.Balance(bank.Elect()), 5);
}

}  // namespace
}  // namespace bank::replication
