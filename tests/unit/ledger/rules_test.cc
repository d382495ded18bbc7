// The rules of money, one row per case: a command, the outcome it must have, the balances after it.
// Every row starts from the same three accounts; a refusal must leave them as they were.
#include <limits>

#include "tests/support/test_ledger.h"

namespace bank::ledger {
namespace {

constexpr int64_t kMoneyMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

struct Case {
  std::string what;
  Command command;  // key is added by the test
  Code code;
  int64_t balance;
  int64_t alice = 100;
  int64_t bob = 20;
};

std::vector<Case> Cases() {
  static const std::string longest(kAccountNameBytesMax, 'n');
  static const std::string too_long(kAccountNameBytesMax + 1, 'n');
  const auto open = [](std::string_view account, int64_t amount) {
    return Command{.kind = Kind::kOpen, .account = account, .amount = amount};
  };
  const auto deposit = [](std::string_view account, int64_t amount) {
    return Command{.kind = Kind::kDeposit, .account = account, .amount = amount};
  };
  const auto withdraw = [](std::string_view account, int64_t amount) {
    return Command{.kind = Kind::kWithdraw, .account = account, .amount = amount};
  };
  const auto transfer = [](std::string_view account, std::string_view to, int64_t amount) {
    return Command{.kind = Kind::kTransfer, .account = account, .to = to, .amount = amount};
  };
  return {
      {"open", open("carol", 7), Code::kOk, 7},
      {"open with nothing", open("carol", 0), Code::kOk, 0},
      {"open, longest name", open(longest, 1), Code::kOk, 1},
      {"open, name too long", open(too_long, 1), Code::kBadAccount, 0},
      {"open, no name", open("", 1), Code::kBadAccount, 0},
      {"open, negative", open("carol", -1), Code::kBadAmount, 0},
      {"open again", open("alice", 1), Code::kAccountExists, 100},
      {"open, total beyond the limit", open("carol", kMoneyMax - 119), Code::kOverflow, 0},
      {"open, total at the limit", open("carol", kMoneyMax - 120), Code::kOk, kMoneyMax - 120},

      {"deposit", deposit("alice", 5), Code::kOk, 105, 105},
      {"deposit zero", deposit("alice", 0), Code::kBadAmount, 100},
      {"deposit negative", deposit("alice", -1), Code::kBadAmount, 100},
      {"deposit the most negative", deposit("alice", kMin), Code::kBadAmount, 100},
      {"deposit, no such account", deposit("nobody", 1), Code::kUnknownAccount, 0},
      {"deposit, no name", deposit("", 1), Code::kBadAccount, 0},
      {"deposit, name too long", deposit(too_long, 1), Code::kBadAccount, 0},
      {"deposit up to the limit", deposit("alice", kMoneyMax - 120), Code::kOk, kMoneyMax - 20,
       kMoneyMax - 20},
      {"deposit, total beyond the limit", deposit("alice", kMoneyMax - 119), Code::kOverflow, 100},
      {"deposit, the most", deposit("alice", kMoneyMax), Code::kOverflow, 100},

      {"withdraw", withdraw("alice", 30), Code::kOk, 70, 70},
      {"withdraw all", withdraw("alice", 100), Code::kOk, 0, 0},
      {"withdraw too much", withdraw("alice", 101), Code::kInsufficientFunds, 100},
      {"withdraw the most", withdraw("alice", kMoneyMax), Code::kInsufficientFunds, 100},
      {"withdraw zero", withdraw("alice", 0), Code::kBadAmount, 100},
      {"withdraw negative", withdraw("alice", -5), Code::kBadAmount, 100},
      {"withdraw, no such account", withdraw("nobody", 1), Code::kUnknownAccount, 0},

      {"transfer", transfer("alice", "bob", 40), Code::kOk, 60, 60, 60},
      {"transfer all", transfer("bob", "alice", 20), Code::kOk, 0, 120, 0},
      {"transfer too much", transfer("bob", "alice", 21), Code::kInsufficientFunds, 20},
      {"transfer zero", transfer("alice", "bob", 0), Code::kBadAmount, 100},
      {"transfer negative", transfer("alice", "bob", -1), Code::kBadAmount, 100},
      {"transfer to itself", transfer("alice", "alice", 1), Code::kBadAccount, 100},
      {"transfer to no name", transfer("alice", "", 1), Code::kBadAccount, 100},
      {"transfer to a long name", transfer("alice", too_long, 1), Code::kBadAccount, 100},
      {"transfer from nobody", transfer("nobody", "bob", 1), Code::kUnknownAccount, 0},
      {"transfer to nobody", transfer("alice", "nobody", 1), Code::kUnknownAccount, 100},

      {"a kind of the future",
       {.kind = static_cast<Kind>(99), .account = "alice"},
       Code::kBadCommand,
       100},
      {"kind zero", {.kind = static_cast<Kind>(0), .account = "alice"}, Code::kBadCommand, 100},
  };
}

// Position 1 is the session, 2 and 3 are the accounts.
SessionId Found(TestLedger* ledger) {
  const SessionId session = ledger->OpenSession();
  ledger->Do({.kind = Kind::kOpen, .account = "alice", .amount = 100});
  ledger->Do({.kind = Kind::kOpen, .account = "bob", .amount = 20});
  return session;
}

TEST(Rules, EveryCommandHasItsOutcome) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.what);
    TestLedger ledger;
    Command command = c.command;
    command.session = Found(&ledger);
    command.sequence = 1;
    const Outcome outcome = ledger.Do(command);
    // Successes and refusals alike take the next position.
    EXPECT_EQ(outcome, (Outcome{c.code, false, Position(4), c.balance}));
    EXPECT_EQ(ledger.Balance("alice"), c.alice);
    EXPECT_EQ(ledger.Balance("bob"), c.bob);
    EXPECT_TRUE(ledger.get().Freeze().CheckConservation().ok());
    EXPECT_EQ(ledger.Do(command), (Outcome{c.code, true, Position(4), c.balance}));
  }
}

TEST(Rules, WithoutAKeyOnlyOpeningWorks) {
  TestLedger ledger;
  Found(&ledger);
  for (const Case& c : Cases()) {
    if (c.command.kind == Kind::kOpen) continue;
    SCOPED_TRACE(c.what);
    const Outcome outcome = ledger.Do(c.command);
    const bool known = c.command.kind >= Kind::kDeposit && c.command.kind <= Kind::kTransfer;
    EXPECT_EQ(outcome.code, known ? Code::kUnknownSession : Code::kBadCommand);
    EXPECT_EQ(outcome.position, Position(3));
  }
  EXPECT_EQ(ledger.Balance("alice"), 100);
  // Founding again is harmless and takes no position.
  EXPECT_EQ(ledger.Do({.kind = Kind::kOpen, .account = "alice", .amount = 400}),
            (Outcome{Code::kAccountExists, false, Position(3), 100}));
}

TEST(Rules, QueriesReadInPlaceAndTakeNoPosition) {
  TestLedger ledger;
  Found(&ledger);
  EXPECT_EQ(ledger.Do({.kind = Kind::kQuery, .account = "bob"}),
            (Outcome{Code::kOk, false, Position(3), 20}));
  EXPECT_EQ(ledger.Do({.kind = Kind::kQuery, .account = "nobody"}),
            (Outcome{Code::kUnknownAccount, false, Position(3), 0}));
  EXPECT_EQ(ledger.Do({.kind = Kind::kQuery, .account = ""}),
            (Outcome{Code::kBadAccount, false, Position(3), 0}));
  EXPECT_EQ(ledger.get().Query("bob"), (Outcome{Code::kOk, false, Position(3), 20}));
  EXPECT_EQ(ledger.get().Query(std::string(200, 'x')).code, Code::kBadAccount);
}

TEST(Rules, AccountsAreLimited) {
  Limits limits;
  limits.accounts_max = 2;
  TestLedger ledger(limits);
  Found(&ledger);
  EXPECT_EQ(ledger.Do({.kind = Kind::kOpen, .account = "carol"}).code, Code::kTooManyAccounts);
  EXPECT_EQ(ledger.Do({.kind = Kind::kOpen, .account = "bob"}).code, Code::kAccountExists);
}

TEST(Rules, SummaryAddsUp) {
  TestLedger ledger;
  ledger.At(77);
  Found(&ledger);
  const Summary summary = ledger.get().summary();
  EXPECT_EQ(summary.position, Position(3));
  EXPECT_EQ(summary.time_ms, 77);
  EXPECT_EQ(summary.accounts, 2u);
  EXPECT_EQ(summary.sessions, 1u);
  EXPECT_EQ(summary.balance_total, 120);
}

TEST(Rules, AMalformedEntryAppliesNothing) {
  Ledger ledger;
  std::vector<Outcome> outcomes;
  std::string payload = EntryOf(5, {{.kind = Kind::kOpenSession}, {.kind = Kind::kOpenSession}});
  payload.pop_back();
  EXPECT_FALSE(ledger.Apply(payload, &outcomes).ok());
  EXPECT_TRUE(outcomes.empty());
  EXPECT_EQ(ledger.position(), Position(0));
  EXPECT_EQ(ledger.time_ms(), 0);
}

}  // namespace
}  // namespace bank::ledger
