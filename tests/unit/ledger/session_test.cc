// Exactly once: what a session answers to keys that come again, come late, come early or come
// never, and how sessions end.
#include <limits>

#include "tests/support/test_ledger.h"

namespace bank::ledger {
namespace {

class SessionTest : public testing::Test {
 protected:
  SessionTest() : ledger_(SmallLimits()) {
    ledger_.Do({.kind = Kind::kOpen, .account = "shared", .amount = 400});
    session_ = ledger_.OpenSession();  // positions 1 and 2
  }
  Outcome Deposit(uint64_t sequence, int64_t amount, uint64_t answered_below = 1) {
    return ledger_.Do({.kind = Kind::kDeposit,
                       .session = session_,
                       .sequence = sequence,
                       .answered_below = answered_below,
                       .account = "shared",
                       .amount = amount});
  }
  Outcome Resolve(uint64_t sequence, uint64_t answered_below = 1) {
    return ledger_.Do({.kind = Kind::kResolve,
                       .session = session_,
                       .sequence = sequence,
                       .answered_below = answered_below});
  }
  static Outcome Replay(Outcome first) {
    first.replayed = true;
    return first;
  }
  void TearDown() override { EXPECT_TRUE(ledger_.get().Freeze().CheckConservation().ok()); }

  TestLedger ledger_;
  SessionId session_;
};

TEST_F(SessionTest, ItsIdIsThePositionThatOpenedIt) {
  EXPECT_EQ(session_, SessionId(2));
  EXPECT_EQ(ledger_.OpenSession(), SessionId(3));
}

TEST_F(SessionTest, ARetryGetsTheFirstOutcomeAndChangesNothing) {
  const Outcome first = Deposit(1, 10);
  EXPECT_EQ(first, (Outcome{Code::kOk, false, Position(3), 410}));
  Deposit(2, 5);
  EXPECT_EQ(Deposit(1, 10), Replay(first));
  EXPECT_EQ(ledger_.Balance("shared"), 415);
  EXPECT_EQ(ledger_.get().position(), Position(4));
}

TEST_F(SessionTest, ARefusalIsRememberedLikeASuccess) {
  const Command withdraw{.kind = Kind::kWithdraw,
                         .session = session_,
                         .sequence = 1,
                         .account = "shared",
                         .amount = 500};
  const Outcome refused = ledger_.Do(withdraw);
  EXPECT_EQ(refused, (Outcome{Code::kInsufficientFunds, false, Position(3), 400}));
  Deposit(2, 1'000);
  EXPECT_EQ(ledger_.Do(withdraw), Replay(refused)) << "although it could be paid now";
}

TEST_F(SessionTest, AKeyWithOtherContentIsRefused) {
  Deposit(1, 10);
  Command other{.kind = Kind::kDeposit,
                .session = session_,
                .sequence = 1,
                .account = "shared",
                .amount = 11};
  const Outcome refused{Code::kKeyReused, false, Position(3), 410};
  EXPECT_EQ(ledger_.Do(other), refused);
  other.amount = 10;
  EXPECT_EQ(ledger_.Do(other).code, Code::kOk) << "the very same content is a retry";
  other.kind = Kind::kWithdraw;
  EXPECT_EQ(ledger_.Do(other), refused);
  other.kind = Kind::kDeposit;
  other.account = "alice";
  EXPECT_EQ(ledger_.Do(other).code, Code::kKeyReused);
  other.account = "shared";
  other.to = "x";
  EXPECT_EQ(ledger_.Do(other), refused);
  EXPECT_EQ(ledger_.get().position(), Position(3));
}

TEST_F(SessionTest, AnsweredBelowIsNoContent) {
  Deposit(1, 10);
  const Outcome second = Deposit(2, 10);
  EXPECT_EQ(Deposit(2, 10, 2), Replay(second));
}

TEST_F(SessionTest, WhatWasAnsweredIsForgotten) {
  Deposit(1, 10);
  const Outcome second = Deposit(2, 10);
  EXPECT_EQ(Deposit(3, 10, 2).code, Code::kOk);
  EXPECT_EQ(Deposit(1, 10), (Outcome{Code::kForgotten, false, Position(5), 430}));
  EXPECT_EQ(Deposit(2, 10), Replay(second)) << "a floor never falls";
  EXPECT_EQ(Resolve(1), (Outcome{Code::kForgotten, false, Position(5), 0}));
}

TEST_F(SessionTest, AKeyThatCallsItselfAnsweredIsRefused) {
  EXPECT_EQ(Deposit(1, 10, 2), (Outcome{Code::kBadCommand, false, Position(2), 400}));
  EXPECT_EQ(ledger_.Balance("shared"), 400);
}

TEST_F(SessionTest, TheWindowIsBounded) {
  EXPECT_EQ(Deposit(16, 1).code, Code::kOk);
  EXPECT_EQ(Deposit(17, 1), (Outcome{Code::kWindowFull, false, Position(3), 401}));
  EXPECT_EQ(Resolve(17).code, Code::kWindowFull);
  EXPECT_EQ(Deposit(17, 1, 2).code, Code::kOk) << "its own answered_below makes the room";
  EXPECT_EQ(Deposit(std::numeric_limits<uint64_t>::max(), 1).code, Code::kWindowFull);
}

TEST_F(SessionTest, SequencesComeInAnyOrder) {
  std::vector<Outcome> first(11);
  for (uint64_t sequence : {5, 3, 9, 1, 10, 2, 8, 4, 7, 6}) {
    first[sequence] = Deposit(sequence, static_cast<int64_t>(sequence));
    EXPECT_EQ(first[sequence].code, Code::kOk);
  }
  EXPECT_EQ(ledger_.Balance("shared"), 455);
  for (uint64_t sequence = 1; sequence <= 10; ++sequence) {
    EXPECT_EQ(Deposit(sequence, static_cast<int64_t>(sequence)), Replay(first[sequence]));
  }
}

TEST_F(SessionTest, SequencesEndWhereNumbersEnd) {
  const uint64_t last = std::numeric_limits<uint64_t>::max();
  const Outcome first = Deposit(last, 1, last - 2);
  EXPECT_EQ(first.code, Code::kOk);
  EXPECT_EQ(Deposit(last - 2, 1).code, Code::kOk);
  EXPECT_EQ(Deposit(last, 1), Replay(first));
}

TEST_F(SessionTest, SequenceZeroIsNoKey) {
  EXPECT_EQ(Deposit(0, 1), (Outcome{Code::kBadCommand, false, Position(2), 400}));
  EXPECT_EQ(Resolve(0).code, Code::kBadCommand);
}

TEST_F(SessionTest, ResolveGivesTheFirstOutcome) {
  const Outcome first = Deposit(1, 10);
  EXPECT_EQ(Resolve(1), Replay(first));
  EXPECT_EQ(ledger_.get().position(), Position(3));
}

TEST_F(SessionTest, ResolveSealsAKeyThatNeverCame) {
  const Outcome sealed = Resolve(1);
  EXPECT_EQ(sealed, (Outcome{Code::kNotApplied, false, Position(3), 0}));
  EXPECT_EQ(Deposit(1, 10), Replay(sealed)) << "the original, late: it changes nothing, for ever";
  EXPECT_EQ(Resolve(1), Replay(sealed));
  EXPECT_EQ(ledger_.Balance("shared"), 400);
  EXPECT_EQ(ledger_.get().position(), Position(3));
}

TEST_F(SessionTest, UnknownSessionsAreRefused) {
  session_ = SessionId(99);
  EXPECT_EQ(Deposit(1, 10), (Outcome{Code::kUnknownSession, false, Position(2), 400}));
  EXPECT_EQ(Resolve(1), (Outcome{Code::kUnknownSession, false, Position(2), 0}));
  session_ = SessionId(0);
  EXPECT_EQ(Resolve(1).code, Code::kUnknownSession);
}

TEST_F(SessionTest, ExpiresByTheBanksTime) {
  ledger_.At(1'000);
  Deposit(1, 10);
  ledger_.At(3'000);
  EXPECT_EQ(Deposit(1, 10).code, Code::kOk) << "idle for just the limit";
  ledger_.At(5'001);
  EXPECT_EQ(Deposit(1, 10).code, Code::kUnknownSession);
  EXPECT_EQ(ledger_.get().summary().sessions, 0u);
  EXPECT_EQ(ledger_.Balance("shared"), 410);
}

TEST_F(SessionTest, TimeNeverDecreases) {
  ledger_.At(2'000);
  Deposit(1, 10);
  ledger_.At(-7);
  Deposit(2, 10);
  EXPECT_EQ(ledger_.get().time_ms(), 2'000);
}

TEST_F(SessionTest, TheIdlestGoesWhenThereAreTooMany) {
  std::vector<SessionId> sessions = {session_};
  while (sessions.size() < 8) sessions.push_back(ledger_.OpenSession());
  Deposit(1, 10);  // the oldest is in use again
  const SessionId ninth = ledger_.OpenSession();
  EXPECT_EQ(ledger_.get().summary().sessions, 8u);
  EXPECT_EQ(Deposit(1, 10).code, Code::kOk);
  session_ = ninth;
  EXPECT_EQ(Deposit(1, 10).code, Code::kOk);
  session_ = sessions[1];
  EXPECT_EQ(Deposit(1, 10).code, Code::kUnknownSession);
}

TEST_F(SessionTest, QueriesDoNotKeepASessionAlive) {
  ledger_.At(2'001);
  ledger_.Do({.kind = Kind::kQuery, .session = session_, .sequence = 1, .account = "shared"});
  EXPECT_EQ(ledger_.get().summary().sessions, 0u);
}

}  // namespace
}  // namespace bank::ledger
