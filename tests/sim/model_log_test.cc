// Goal: the book tells what became of what no customer knows, and refuses a bank that broke its
// word. Method: a short log written by hand, and histories that fit it or do not.
#include "tests/sim/model_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bank::sim {
namespace {

using ledger::Code;
using ledger::Kind;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ModelLogTest : public ::testing::Test {
 protected:
  void Append(int64_t time_ms, const ledger::Command& command) {
    std::string batch;
    ledger::AppendCommand(command, &batch);
    EXPECT_THAT(model_log_.Read(ledger::EncodeEntry({time_ms, 1}, batch)), IsEmpty());
  }
  static ledger::Command Deposit(uint64_t session, uint64_t sequence, int64_t amount) {
    return {.kind = Kind::kDeposit,
            .session = SessionId(session),
            .sequence = sequence,
            .account = "a",
            .amount = amount};
  }
  static Operation Asked(uint64_t session, uint64_t sequence, int64_t amount) {
    Operation op;
    op.kind = Kind::kDeposit;
    op.account = "a";
    op.amount = amount;
    op.session = SessionId(session);
    op.sequence = sequence;
    op.fate = Operation::Fate::kLost;
    return op;
  }
  std::string Settle(const Operation& op) {
    history_ = {op};
    return model_log_.Settle(&history_);
  }
  // Session 1 opens account `a` and deposits 5; half a second later session 4 is opened, which ends
  // session 1; its late retry comes then.
  void SetUp() override {
    Append(0, {.kind = Kind::kOpenSession});
    Append(1, {.kind = Kind::kOpen, .session = SessionId(1), .sequence = 1, .account = "a"});
    Append(2, Deposit(1, 2, 5));
    Append(500, {.kind = Kind::kOpenSession});
    Append(501, Deposit(1, 2, 5));
    Append(502, Deposit(1, 3, 7));
  }

  ModelLog model_log_{{.session_idle_ms_max = 100}};
  History history_;
};

TEST_F(ModelLogTest, KnowsWhatALostWriteDid) {
  EXPECT_THAT(Settle(Asked(1, 2, 5)), IsEmpty());
  EXPECT_EQ(history_[0].fate, Operation::Fate::kDone);
  EXPECT_EQ(history_[0].outcome.position, Position(3));
  EXPECT_EQ(history_[0].outcome.balance, 5);
}

TEST_F(ModelLogTest, AnExpiredSessionDoesNothingMore) {
  EXPECT_THAT(Settle(Asked(1, 3, 7)), IsEmpty());
  EXPECT_EQ(history_[0].fate, Operation::Fate::kNothing);
  EXPECT_EQ(model_log_.sessions_expired(), 1u);
}

TEST_F(ModelLogTest, RefusesACertaintyThatWasNone) {
  Operation op = Asked(1, 2, 5);
  op.never_applied = true;
  EXPECT_THAT(Settle(op), HasSubstr("certainly not applied"));
}

TEST_F(ModelLogTest, RefusesAnExpiryThatWasNone) {
  Operation op = Asked(4, 1, 5);
  op.told_expired = true;
  EXPECT_THAT(Settle(op), HasSubstr("it has not"));
}

TEST_F(ModelLogTest, RefusesAnAnswerThatTheLogDoesNotGive) {
  Operation op = Asked(1, 2, 5);
  op.fate = Operation::Fate::kDone;
  op.outcome = {Code::kOk, false, Position(3), 6};
  EXPECT_THAT(Settle(op), HasSubstr("the log says"));
}

TEST_F(ModelLogTest, RefusesAWriteWithoutAKeyThatWasMadeTwice) {
  Append(503, Deposit(4, 1, kKeylessAmountMin));
  EXPECT_THAT(Settle(Asked(0, 0, kKeylessAmountMin)), IsEmpty());
  EXPECT_EQ(history_[0].fate, Operation::Fate::kDone);
  Append(504, Deposit(4, 2, kKeylessAmountMin));
  EXPECT_THAT(Settle(Asked(0, 0, kKeylessAmountMin)), HasSubstr("more than once"));
}

}  // namespace
}  // namespace bank::sim
