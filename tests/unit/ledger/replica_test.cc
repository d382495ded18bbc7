// Replicas: the same entries give the same outcomes, digests and bytes; anything else shows in a
// digest.
#include "tests/support/test_ledger.h"

namespace bank::ledger {
namespace {

TEST(Replica, TheSameEntriesGiveTheSameEverything) {
  for (uint64_t seed = 100; seed < 120; ++seed) {
    SCOPED_TRACE(seed);
    Ledger a(SmallLimits());
    Ledger b(SmallLimits());
    std::vector<Outcome> outcomes_a;
    std::vector<Outcome> outcomes_b;
    Position last;
    for (const std::string& entry : RandomEntries(seed).Take(300)) {
      const size_t before = outcomes_a.size();
      ASSERT_TRUE(a.Apply(entry, &outcomes_a).ok());
      ASSERT_TRUE(b.Apply(entry, &outcomes_b).ok());
      ASSERT_EQ(a.summary().state_digest, b.summary().state_digest);
      // Positions are dense and never go back.
      for (size_t k = before; k < outcomes_a.size(); ++k) {
        if (outcomes_a[k].replayed) continue;
        ASSERT_TRUE(outcomes_a[k].position == last || outcomes_a[k].position == last.Next());
        last = outcomes_a[k].position;
      }
      ASSERT_EQ(a.position(), last);
    }
    EXPECT_EQ(outcomes_a, outcomes_b);
    EXPECT_EQ(a.summary().history_digest, b.summary().history_digest);
    EXPECT_EQ(a.Freeze().Encode(), b.Freeze().Encode());
    EXPECT_TRUE(a.Freeze().CheckConservation().ok());
  }
}

// The stream is of use only if it reaches every code.
TEST(Replica, TheRandomStreamReachesEveryCode) {
  std::vector<bool> seen(static_cast<size_t>(kCodeLast) + 1);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Ledger ledger(SmallLimits());
    std::vector<Outcome> outcomes;
    for (const std::string& entry : RandomEntries(seed).Take(400)) {
      ASSERT_TRUE(ledger.Apply(entry, &outcomes).ok());
    }
    for (const Outcome& outcome : outcomes) seen[static_cast<size_t>(outcome.code)] = true;
  }
  for (size_t code = 0; code < seen.size(); ++code) {
    if (static_cast<Code>(code) == Code::kOverflow) continue;  // rules_test.cc
    EXPECT_TRUE(seen[code]) << CodeName(static_cast<Code>(code));
  }
}

class DigestTest : public testing::Test {
 protected:
  // Two branches with the same beginning.
  DigestTest() {
    for (TestLedger* ledger : {&a_, &b_}) {
      ledger->Do({.kind = Kind::kOpen, .account = "x", .amount = 5});
      ledger->Do({.kind = Kind::kOpen, .account = "y", .amount = 5});
      ledger->OpenSession();
    }
    EXPECT_TRUE(SameState());
  }
  static Command Deposit(uint64_t sequence, std::string_view account, int64_t amount) {
    return {.kind = Kind::kDeposit,
            .session = SessionId(3),
            .sequence = sequence,
            .answered_below = 1,
            .account = account,
            .amount = amount};
  }
  bool SameState() const {
    return a_.get().summary().state_digest == b_.get().summary().state_digest;
  }
  TestLedger a_;
  TestLedger b_;
};

TEST_F(DigestTest, SeesABalanceOnAnotherAccount) {
  a_.Do(Deposit(1, "x", 1));
  b_.Do(Deposit(1, "y", 1));
  EXPECT_FALSE(SameState());
}

TEST_F(DigestTest, SeesWhatASessionRemembers) {
  a_.Do(Deposit(1, "x", 0));  // refused: the accounts stay equal
  b_.Do(Deposit(1, "x", -1));
  EXPECT_FALSE(SameState()) << "other content under the same key";
}

TEST_F(DigestTest, SeesWhatASessionForgot) {
  Command deposit = Deposit(1, "x", 1);
  a_.Do(deposit);
  b_.Do(deposit);
  EXPECT_TRUE(SameState());
  deposit.sequence = 2;
  b_.Do(deposit);
  deposit.answered_below = 2;
  a_.Do(deposit);
  EXPECT_FALSE(SameState());
}

TEST_F(DigestTest, SeesWhenASessionWasUsed) {
  a_.At(1);
  a_.Do(Deposit(1, "x", 1));
  b_.Do(Deposit(1, "x", 1));
  EXPECT_FALSE(SameState());
}

TEST_F(DigestTest, HistoryRemembersTheWay) {
  for (int64_t amount : {1, 2}) a_.Do(Deposit(static_cast<uint64_t>(amount), "x", amount));
  for (int64_t amount : {2, 1}) b_.Do(Deposit(static_cast<uint64_t>(amount), "x", amount));
  EXPECT_EQ(a_.Balance("x"), b_.Balance("x"));
  EXPECT_NE(a_.get().summary().history_digest, b_.get().summary().history_digest);
}

}  // namespace
}  // namespace bank::ledger
