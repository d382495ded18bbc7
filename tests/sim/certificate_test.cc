// Goal: the judge accepts a right history and refuses each kind of wrong one.
// Method: one small right history; each test breaks one thing in it.
#include "tests/sim/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bank::sim {
namespace {

using ledger::Code;
using ledger::Kind;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Operation Op(Kind kind, int64_t amount, SimTime from, SimTime to, uint64_t position,
             int64_t balance, Code code = Code::kOk) {
  Operation op;
  op.kind = kind;
  op.account = "a";
  op.amount = amount;
  op.session = SessionId(kind == Kind::kQuery ? 0 : 1);
  op.sequence = position;
  op.invoked_at = from;
  op.completed_at = to;
  op.fate = Operation::Fate::kDone;
  op.outcome = {code, false, Position(position), balance};
  return op;
}

// open 100; deposit 50 beside a read; withdraw 500 refused; a read.
History Right() {
  return {Op(Kind::kOpen, 100, 0, 10, 2, 100), Op(Kind::kDeposit, 50, 20, 40, 3, 150),
          Op(Kind::kQuery, 0, 25, 35, 2, 100),
          Op(Kind::kWithdraw, 500, 50, 60, 5, 150, Code::kInsufficientFunds),
          Op(Kind::kQuery, 0, 70, 80, 6, 150)};
}

std::string Check(const History& history) {
  Model model;
  return CheckCertificate(history, &model);
}

TEST(Certificate, AcceptsARightHistory) {
  Model model;
  EXPECT_THAT(CheckCertificate(Right(), &model), IsEmpty());
  EXPECT_EQ(model.balances().at("a"), 150);
}

TEST(Certificate, RefusesAWrongBalance) {
  History history = Right();
  history[1].outcome.balance = 151;
  EXPECT_THAT(Check(history), HasSubstr("wrong answer"));
}

TEST(Certificate, RefusesALostWrite) {
  History history = Right();
  history.erase(history.begin() + 1);
  EXPECT_THAT(Check(history), HasSubstr("wrong answer"));
}

TEST(Certificate, RefusesAStaleRead) {
  History history = Right();
  history[4].outcome.position = Position(2);
  history[4].outcome.balance = 100;
  EXPECT_THAT(Check(history), HasSubstr("real time"));
}

TEST(Certificate, RefusesAWritePlacedBeforeWhatEndedEarlier) {
  History history = Right();
  history[3].outcome.position = Position(1);
  EXPECT_THAT(Check(history), HasSubstr("real time"));
}

TEST(Certificate, RefusesTwoWritesAtOnePlace) {
  History history = Right();
  history[3].outcome.position = Position(3);
  history[3].invoked_at = 30;  // beside the deposit, so that only the place is wrong
  EXPECT_THAT(Check(history), HasSubstr("two writes at one position"));
}

TEST(Certificate, RefusesAnUnresolvedWrite) {
  History history = Right();
  history[1].fate = Operation::Fate::kUnknown;
  EXPECT_THAT(Check(history), HasSubstr("never resolved"));
}

TEST(Certificate, TakesASealedWriteAsNothing) {
  History history = Right();
  history.push_back(Op(Kind::kDeposit, 7, 70, 90, 7, 0, Code::kNotApplied));
  EXPECT_THAT(Check(history), IsEmpty());
}

}  // namespace
}  // namespace bank::sim
