// Goal: the driver keeps the promises of driver.h. Method: several drivers in one thread on fake
// disks, network and clock (bank_of.h); each test arranges one situation and looks at the outcome.
#include "branch/replication/raft/driver.h"

#include <gtest/gtest.h>

#include "tests/unit/raft/bank_of.h"

namespace bank::replication {
namespace {

TEST(Driver, ThreeFoundersElectALeaderAndApplyADepositEverywhere) {
  BankOf bank(3);
  const uint64_t leader = bank.Elect();
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
    EXPECT_EQ(bank.driver(id).ledger().summary().state_digest,
              bank.driver(leader).ledger().summary().state_digest);
  }
}

}  // namespace
}  // namespace bank::replication
