// Single operations: what a customer is told, for every kind, key, consistency and mishap.
#include <limits>

#include "tests/support/test_teller.h"

namespace bank::teller {
namespace {

class TellerTest : public TellerFixture {};

TEST_F(TellerTest, TheExercise) {
  EXPECT_EQ(Do({}).outcome.balance, 400);
  const TellerReply deposit = Do(Deposit(170));
  EXPECT_EQ(deposit.fate, Fate::kApplied);
  EXPECT_EQ(deposit.outcome.code, Code::kOk);
  EXPECT_EQ(deposit.outcome.balance, 570);
  const TellerReply query = Do({});
  EXPECT_EQ(query.outcome, (Outcome{Code::kOk, false, deposit.outcome.position, 570}));
  EXPECT_EQ(Do({.kind = Kind::kWithdraw, .amount = 70}).outcome.balance, 500);
  const TellerReply refused = Do({.kind = Kind::kWithdraw, .amount = 501});
  EXPECT_EQ(refused.fate, Fate::kApplied) << "a refusal is an answer";
  EXPECT_EQ(refused.outcome.code, Code::kInsufficientFunds);
  EXPECT_EQ(refused.outcome.balance, 500);
}

TEST_F(TellerTest, OtherAccounts) {
  EXPECT_EQ(Do({.kind = Kind::kOpen, .account = "alice", .amount = 5}).outcome.code, Code::kOk);
  EXPECT_EQ(Do({.kind = Kind::kTransfer, .to = "alice", .amount = 100}).outcome.balance, 300);
  EXPECT_EQ(Do({.account = "alice"}).outcome.balance, 105);
  EXPECT_EQ(Do({.account = "bob"}).outcome.code, Code::kUnknownAccount);
}

TEST_F(TellerTest, BadCallsGetAClearAnswer) {
  const std::string mebibyte(1 << 20, 'x');
  EXPECT_EQ(Do({.kind = Kind::kDeposit, .account = mebibyte, .amount = 1}).outcome.code,
            Code::kBadAccount);
  EXPECT_EQ(Do({.account = mebibyte}).outcome.code, Code::kBadAccount);
  EXPECT_EQ(Do({.account = mebibyte, .consistency = Consistency::kLocal}).outcome.code,
            Code::kBadAccount);
  EXPECT_EQ(Do({.kind = Kind::kTransfer, .to = mebibyte, .amount = 1}).outcome.code,
            Code::kBadAccount);
  EXPECT_EQ(Do({.kind = Kind::kTransfer, .amount = 1}).outcome.code, Code::kBadAccount);
  EXPECT_EQ(Do(Deposit(-5)).outcome.code, Code::kBadAmount);
  EXPECT_EQ(Do(Deposit(0)).outcome.code, Code::kBadAmount);
  EXPECT_EQ(Do(Deposit(std::numeric_limits<int64_t>::max())).outcome.code, Code::kOverflow);
  for (const Kind kind : {static_cast<Kind>(0), Kind::kOpenSession, Kind::kResolve}) {
    const TellerReply reply = Do({.kind = kind});
    EXPECT_EQ(reply.fate, Fate::kApplied);
    EXPECT_EQ(reply.outcome, Outcome{});
  }
  EXPECT_EQ(Balance(), 400);
}

TEST_F(TellerTest, AKeyedWriteHappensOnceThroughAnyTeller) {
  const SessionId session = OpenSession().session;
  Operation deposit = Deposit(10);
  deposit.session = session;
  deposit.sequence = 1;
  deposit.answered_below = 1;
  const TellerReply first = Do(deposit);
  EXPECT_EQ(first.session, session);
  EXPECT_EQ(first.sequence, 1u);
  Teller other({}, bank_.branch(2), clock_, entropy_);
  Call<TellerReply>& again = calls_.emplace_back();
  other.Execute(deposit, In(kLongMs), again.Callback());
  EXPECT_TRUE(again.Await().outcome.replayed);
  EXPECT_EQ(again.reply.outcome.position, first.outcome.position);
  deposit.amount = 11;
  EXPECT_EQ(Do(deposit).outcome.code, Code::kKeyReused);
  EXPECT_EQ(Balance(), 410);

  EXPECT_EQ(Lookup(session, 1).outcome.balance, 410);
  EXPECT_EQ(Lookup(session, 2).outcome.code, Code::kNotApplied);
  deposit.sequence = 2;
  EXPECT_EQ(Do(deposit).outcome.code, Code::kNotApplied) << "sealed by the look-up";
  EXPECT_EQ(Lookup(SessionId(99), 1).outcome.code, Code::kUnknownSession);
  deposit.session = SessionId(99);
  EXPECT_EQ(Do(deposit).outcome.code, Code::kUnknownSession) << "a customer's session is his own";
}

TEST_F(TellerTest, TooLateIsNotApplied) {
  const uint64_t before = bank_.proposals();
  EXPECT_EQ(Do(Deposit(1), -1).fate, Fate::kNotApplied);
  Operation keyed = Deposit(1);
  keyed.session = SessionId(2);
  keyed.sequence = 1;
  EXPECT_EQ(Do(keyed, -1).fate, Fate::kNotApplied);
  const Kind kind = Kind::kDeposit;
  const int64_t amount = 1;
  Batch batch{.kind = {&kind, 1}, .amount = {&amount, 1}};
  EXPECT_EQ(BeginBatch(batch, -1).Await().fate, Fate::kNotApplied);
  batch.session = keyed.session;
  batch.first_sequence = 1;
  EXPECT_EQ(BeginBatch(batch, -1).Await().fate, Fate::kNotApplied);
  EXPECT_EQ(bank_.proposals(), before);
}

TEST_F(TellerTest, WithoutAQuorum) {
  Do(Deposit(1));
  bank_.SetMode(Mode::kStalled);
  auto& linearizable = Begin({}, 50);
  auto& write = Begin(Deposit(10), 50);
  EXPECT_EQ(Do({.consistency = Consistency::kLocal}).outcome.balance, 401);
  EXPECT_EQ(
      Do({.consistency = Consistency::kAtLeast, .minimum_position = Position(1)}).outcome.code,
      Code::kOk)
      << "this branch is far enough";
  const TellerReply& unavailable = linearizable.Await();
  EXPECT_EQ(unavailable.fate, Fate::kUnavailable);
  EXPECT_FALSE(unavailable.reason.empty());
  const TellerReply& unknown = write.Await();
  EXPECT_EQ(unknown.fate, Fate::kUnknown);
  EXPECT_FALSE(unknown.reason.empty());
  bank_.SetMode(Mode::kServing);
  const TellerReply found = Lookup(unknown.session, unknown.sequence);
  EXPECT_EQ(found.outcome.code, Code::kUnknownSession) << "a branch's key is nobody's to ask for";
  EXPECT_EQ(Balance(), 411);
}

TEST_F(TellerTest, RefusedByTheReplicator) {
  bank_.SetMode(Mode::kRefusing);
  const TellerReply write = Do(Deposit(10));
  EXPECT_EQ(write.fate, Fate::kNotApplied);
  EXPECT_FALSE(write.reason.empty());
  EXPECT_EQ(Do({}).fate, Fate::kUnavailable);
  EXPECT_EQ(OpenSession().fate, Fate::kNotApplied);
  bank_.SetMode(Mode::kServing);
  EXPECT_EQ(Do(Deposit(10)).outcome.balance, 410);
}

TEST_F(TellerTest, AtLeastWaitsForThePosition) {
  const Position seen = Do(Deposit(1)).outcome.position;
  auto& later = Begin({.consistency = Consistency::kAtLeast, .minimum_position = seen.Next()});
  EXPECT_FALSE(later.done());
  Do(Deposit(1));
  EXPECT_EQ(later.Await().outcome.balance, 402);
  EXPECT_EQ(Do({.consistency = Consistency::kAtLeast, .minimum_position = seen.Plus(9)}, 30).fate,
            Fate::kUnavailable);
}

}  // namespace
}  // namespace bank::teller
