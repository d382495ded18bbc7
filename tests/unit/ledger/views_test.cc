// What operators look at: the richest accounts and the sessions, read-only.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/test_ledger.h"

namespace bank::ledger {
namespace {

TEST(Views, TopAccountsAreSortedByBalanceThenName) {
  TestLedger ledger;
  for (const auto& [name, balance] : std::vector<std::pair<std::string, int64_t>>{
           {"b", 5}, {"d", 9}, {"a", 5}, {"c", 0}, {"e", 5}}) {
    ledger.Do({.kind = Kind::kOpen, .account = name, .amount = balance});
  }
  const std::vector<AccountView> all = {{"d", 9}, {"a", 5}, {"b", 5}, {"e", 5}, {"c", 0}};
  for (size_t limit = 0; limit <= 7; ++limit) {
    const auto end = all.begin() + static_cast<int64_t>(std::min(limit, all.size()));
    EXPECT_EQ(ledger.get().Freeze().TopAccounts(limit), std::vector<AccountView>(all.begin(), end))
        << limit;
  }
}

TEST(Views, TopAccountsOfManyAreThoseOfASort) {
  TestLedger ledger;
  std::vector<AccountView> all;
  std::mt19937_64 random(7);
  for (int i = 0; i < 3000; ++i) {
    all.push_back({"account-" + std::to_string(i), static_cast<int64_t>(random() % 100)});
    ledger.Do({.kind = Kind::kOpen, .account = all.back().name, .amount = all.back().balance});
  }
  std::sort(all.begin(), all.end(), [](const AccountView& a, const AccountView& b) {
    return a.balance != b.balance ? a.balance > b.balance : a.name < b.name;
  });
  all.resize(250);
  EXPECT_EQ(ledger.get().Freeze().TopAccounts(250), all);
}

TEST(Views, SessionsLongestIdleFirst) {
  TestLedger ledger(SmallLimits());
  ledger.Do({.kind = Kind::kOpen, .account = "a", .amount = 100});
  ledger.At(1000);
  const SessionId first = ledger.OpenSession();
  ledger.OpenSession();
  ledger.At(1500);
  for (const uint64_t sequence : {1, 2, 5}) {
    Command deposit{.kind = Kind::kDeposit, .account = "a", .amount = 1};
    deposit.session = first;
    deposit.sequence = sequence;
    ledger.Do(deposit);
  }
  const auto idle = ledger.get().IdleSessions(10);
  ASSERT_EQ(idle.size(), 2u);
  EXPECT_EQ(idle[0].tag.size(), 6u);
  EXPECT_NE(idle[0].tag, idle[1].tag);
  EXPECT_EQ(idle[0].idle_ms, 500);
  EXPECT_EQ(idle[0].window_used, 0u);
  EXPECT_EQ(idle[1].idle_ms, 0);
  EXPECT_EQ(idle[1].window_used, 5u);
  EXPECT_EQ(idle[1].window_max, 16u);
  EXPECT_EQ(idle[1].remembered, 3u);
  EXPECT_EQ(ledger.get().IdleSessions(1).size(), 1u);
}

}  // namespace
}  // namespace bank::ledger
