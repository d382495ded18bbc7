// Goal: a second client that knows every number there is can neither use the branch's own keys, nor
// call answers seen that were not; and should somebody inside the bank use them all the same, no
// customer is told that his write was applied when it was not.
// Method: one hostile client goes through the teller; the other writes into the order beside it.
#include "absl/strings/str_cat.h"
#include "branch/teller/session_ids.h"
#include "tests/support/test_teller.h"

namespace bank::teller {
namespace {

constexpr uint64_t kMax = ~uint64_t{0};

class HostileTest : public TellerFixture {
 protected:
  // What somebody inside the bank puts into the order.
  Outcome Inside(const ledger::Command& command) {
    std::string batch;
    ledger::AppendCommand(command, &batch);
    Outcome outcome;
    bank_.branch(2).Propose(batch, 1, In(kLongMs), [&](const replication::ProposeResult& result) {
      outcome = result.outcomes.at(0);
    });
    return outcome;
  }
  Outcome TakeKey(SessionId session, uint64_t sequence, int64_t amount = 1) {
    return Inside({.kind = Kind::kDeposit,
                   .session = session,
                   .sequence = sequence,
                   .account = ledger::kSharedAccount,
                   .amount = amount});
  }
  static Operation Keyed(SessionId session, uint64_t sequence, uint64_t answered_below = 0) {
    return {.kind = Kind::kDeposit,
            .amount = 1,
            .session = session,
            .sequence = sequence,
            .answered_below = answered_below};
  }
};

TEST_F(HostileTest, ABranchsSessionCannotBeNamedFromOutside) {
  const SessionId own = Do(Deposit(1)).session;
  ASSERT_TRUE(ledger::IsBranchSession(own));
  const uint64_t before = bank_.proposals();
  for (uint64_t sequence = 1; sequence <= 20; ++sequence) {
    EXPECT_EQ(Do(Keyed(own, sequence)).outcome.code, Code::kUnknownSession);
    EXPECT_EQ(Lookup(own, sequence).outcome.code, Code::kUnknownSession);
  }
  EXPECT_EQ(Do(Keyed(SessionId(kMax), 1)).outcome.code, Code::kUnknownSession);
  const std::vector<Kind> kinds = {Kind::kDeposit, Kind::kDeposit};
  const std::vector<int64_t> amounts = {1, 1};
  const BatchReply& batch =
      BeginBatch({.kind = kinds, .amount = amounts, .session = own, .first_sequence = 2}).Await();
  ASSERT_EQ(batch.outcomes.size(), 2u);
  for (const Outcome& outcome : batch.outcomes) EXPECT_EQ(outcome.code, Code::kUnknownSession);
  EXPECT_EQ(bank_.proposals(), before) << "the bank is not even asked";
  EXPECT_EQ(Do(Deposit(1)).outcome.balance, 402);
  EXPECT_EQ(teller_.own_key_conflicts(), 0u);
}

TEST_F(HostileTest, NoSessionIsNumberedByItsPlace) {
  const TellerReply opened = OpenSession();
  EXPECT_EQ(opened.outcome.code, Code::kOk);
  for (uint64_t id = 1; id < 50; ++id) {
    EXPECT_EQ(Do(Keyed(SessionId(id), 2)).outcome.code, Code::kUnknownSession) << id;
  }
  EXPECT_FALSE(ledger::IsBranchSession(opened.session));
  EXPECT_EQ(Do(Keyed(opened.session, 1)).outcome.code, Code::kOk);
}

TEST_F(HostileTest, AnswersThatWereNeverAskedForCannotBeCalledSeen) {
  const SessionId session = OpenSession().session;
  EXPECT_EQ(Do(Keyed(session, 1)).outcome.balance, 401);
  const uint64_t before = bank_.proposals();
  EXPECT_EQ(Do(Keyed(session, 2, kMax)).outcome.code, Code::kBadCommand);
  EXPECT_EQ(Do(Keyed(session, 2, 3)).outcome.code, Code::kBadCommand);
  const std::vector<Kind> kinds = {Kind::kDeposit, Kind::kDeposit};
  const std::vector<int64_t> amounts = {1, 1};
  const BatchReply& batch = BeginBatch({.kind = kinds,
                                        .amount = amounts,
                                        .session = session,
                                        .first_sequence = 2,
                                        .answered_below = 3})
                                .Await();
  ASSERT_EQ(batch.outcomes.size(), 2u);
  for (const Outcome& outcome : batch.outcomes) EXPECT_EQ(outcome.code, Code::kBadCommand);
  EXPECT_EQ(bank_.proposals(), before);
  EXPECT_TRUE(Do(Keyed(session, 1)).outcome.replayed) << "it is still remembered";
  EXPECT_EQ(Do(Keyed(session, 2, 2)).outcome.balance, 402);
}

// The attack, from inside: the stranger's outcome must not be the customer's.
TEST_F(HostileTest, AKeyThatSomebodyElseUsedIsNoAnswer) {
  const SessionId own = Do(Deposit(1)).session;
  for (uint64_t sequence = 2; sequence <= 8; ++sequence) TakeKey(own, sequence);
  const TellerReply reply = Do(Deposit(1));
  EXPECT_EQ(reply.fate, Fate::kApplied);
  EXPECT_EQ(reply.outcome.code, Code::kOk);
  EXPECT_FALSE(reply.outcome.replayed);
  EXPECT_NE(reply.session, own) << "the session is given up";
  EXPECT_EQ(reply.outcome.balance, 409);
  EXPECT_EQ(Balance(), 409);
  EXPECT_EQ(teller_.own_key_conflicts(), 1u);
  for (int64_t i = 1; i <= 20; ++i) EXPECT_EQ(Do(Deposit(1)).outcome.balance, 409 + i);
  EXPECT_EQ(teller_.own_key_conflicts(), 1u);
}

TEST_F(HostileTest, NorIsOneWithOtherContentSealedOrForgotten) {
  int64_t balance = 400;
  for (int how = 0; how < 3; ++how) {
    SCOPED_TRACE(how);
    const TellerReply before = Do(Deposit(1));
    const SessionId own = before.session;
    const uint64_t next = before.sequence + 1;
    ++balance;
    if (how == 0) {
      EXPECT_EQ(TakeKey(own, next, 50).code, Code::kOk);
      balance += 50;
    } else if (how == 1) {
      EXPECT_EQ(Inside({.kind = Kind::kResolve, .session = own, .sequence = next}).code,
                Code::kNotApplied);
    } else {
      Inside({.kind = Kind::kDeposit,
              .session = own,
              .sequence = next + 5,
              .answered_below = next + 5,
              .account = ledger::kSharedAccount,
              .amount = 1});
      ++balance;
    }
    const TellerReply reply = Do(Deposit(1));
    EXPECT_EQ(reply.fate, Fate::kApplied);
    EXPECT_EQ(reply.outcome.balance, ++balance);
    EXPECT_EQ(Balance(), balance);
    EXPECT_EQ(teller_.own_key_conflicts(), static_cast<uint64_t>(how) + 1);
  }
}

// Half of a batch is in the order, half is not: nobody can make it whole.
TEST_F(HostileTest, ABatchOfWhichSomeKeysAreTakenIsUnknown) {
  const SessionId own = Do(Deposit(1)).session;
  TakeKey(own, 3);
  const std::vector<Kind> kinds = {Kind::kDeposit, Kind::kDeposit};
  const std::vector<int64_t> amounts = {1, 1};
  const BatchReply& torn = BeginBatch({.kind = kinds, .amount = amounts}).Await();
  EXPECT_EQ(torn.fate, Fate::kUnknown);
  EXPECT_EQ(teller_.own_key_conflicts(), 1u);
  const BatchReply& next = BeginBatch({.kind = kinds, .amount = amounts}).Await();
  EXPECT_EQ(next.fate, Fate::kApplied);
}

// An id that is taken is drawn again; whoever always draws the same is refused, for certain.
TEST_F(HostileTest, ATakenIdIsDrawnAgain) {
  class Fixed final : public Entropy {
   public:
    uint64_t Draw() override {
      return next_ < 2 ? 0x1234'5678'9abc'def0 : 0x2345'0000'0000'0000 + next_;
    }
    uint64_t next_ = 0;
  };
  Fixed fixed;
  Teller teller({}, bank_.branch(0), clock_, fixed);
  const auto open = [&] {
    Call<TellerReply>& call = calls_.emplace_back();
    teller.OpenSession(SessionOwner(1), In(kLongMs), call.Callback());
    return call.Await();
  };
  const SessionId first = open().session;
  const TellerReply refused = open();
  EXPECT_EQ(refused.fate, Fate::kNotApplied);
  EXPECT_NE(refused.reason.find("try again"), std::string::npos);
  fixed.next_ = 2;
  const TellerReply second = open();
  EXPECT_EQ(second.fate, Fate::kApplied);
  EXPECT_NE(second.session, first);
}

}  // namespace
}  // namespace bank::teller
