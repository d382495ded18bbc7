// Column batches: one place in the order, queries in between, columns that do not fit refused.
#include <array>

#include "tests/support/test_teller.h"

namespace bank::teller {
namespace {

class TellerBatchTest : public TellerFixture {};

TEST_F(TellerBatchTest, MixedBatchesStandInOnePiece) {
  const std::array kinds = {Kind::kOpen, Kind::kTransfer, Kind::kQuery, Kind::kWithdraw,
                            Kind::kQuery};
  const std::array<int64_t, 5> amounts = {0, 100, 0, 1'000, 0};
  const std::array<std::string_view, 2> names = {"", "alice"};
  const std::array<uint32_t, 5> accounts = {1, 0, 1, 0, 0};
  const std::array<uint32_t, 5> to = {0, 1, 0, 0, 0};
  const Batch batch{
      .kind = kinds, .amount = amounts, .names = names, .account = accounts, .to = to};
  const BatchReply& reply = BeginBatch(batch).Await();
  ASSERT_EQ(reply.fate, Fate::kApplied) << reply.reason;
  ASSERT_EQ(reply.outcomes.size(), 5u);
  const Position first = reply.outcomes[0].position;
  EXPECT_EQ(reply.outcomes[0], (Outcome{Code::kOk, false, first, 0}));
  EXPECT_EQ(reply.outcomes[1], (Outcome{Code::kOk, false, first.Plus(1), 300}));
  EXPECT_EQ(reply.outcomes[2], (Outcome{Code::kOk, false, first.Plus(1), 100}));
  EXPECT_EQ(reply.outcomes[3], (Outcome{Code::kInsufficientFunds, false, first.Plus(2), 300}));
  EXPECT_EQ(reply.outcomes[4], (Outcome{Code::kOk, false, first.Plus(2), 300}));
}

TEST_F(TellerBatchTest, KeyedBatchesReplay) {
  const SessionId session = OpenSession().session;
  const std::array kinds = {Kind::kDeposit, Kind::kQuery, Kind::kDeposit};
  const std::array<int64_t, 3> amounts = {1, 0, 2};
  Batch batch{.kind = kinds, .amount = amounts};
  batch.session = session;
  batch.first_sequence = 1;
  const BatchReply& first = BeginBatch(batch).Await();
  const BatchReply& again = BeginBatch(batch).Await();
  ASSERT_EQ(again.outcomes.size(), 3u);
  EXPECT_TRUE(again.outcomes[0].replayed);
  EXPECT_TRUE(again.outcomes[2].replayed);
  EXPECT_EQ(again.outcomes[2].position, first.outcomes[2].position);
  EXPECT_EQ(again.session, session);
  EXPECT_EQ(again.first_sequence, 1u);
  EXPECT_EQ(Balance(), 403);
  EXPECT_EQ(Lookup(session, 3).outcome.code, Code::kOk) << "a query uses its sequence up";
}

TEST_F(TellerBatchTest, QueriesAloneWriteNothing) {
  const std::array kinds = {Kind::kQuery, Kind::kQuery};
  const std::array<std::string_view, 2> names = {"shared", "nobody"};
  const std::array<uint32_t, 2> accounts = {0, 1};
  const uint64_t before = bank_.proposals();
  const Batch batch{.kind = kinds, .names = names, .account = accounts};
  const BatchReply& reply = BeginBatch(batch).Await();
  ASSERT_EQ(reply.outcomes.size(), 2u);
  EXPECT_EQ(reply.outcomes[0].balance, 400);
  EXPECT_EQ(reply.outcomes[1].code, Code::kUnknownAccount);
  EXPECT_EQ(bank_.proposals(), before);
  bank_.SetMode(Mode::kRefusing);
  EXPECT_EQ(BeginBatch(batch).Await().fate, Fate::kUnavailable);
}

// What is true when they come may be old by the time a quorum has spoken.
TEST_F(TellerBatchTest, QueriesAreAnsweredFromWhatHoldsOnceTheyAreConfirmed) {
  const std::array kinds = {Kind::kQuery};
  bank_.SetMode(Mode::kStalled);
  auto& deposit = Begin(Deposit(5));
  auto& batch = BeginBatch({.kind = kinds});
  auto& single = Begin({.kind = Kind::kQuery});
  EXPECT_FALSE(batch.done() || single.done());
  bank_.SetMode(Mode::kServing);
  EXPECT_EQ(deposit.Await().outcome.balance, 405);
  EXPECT_EQ(batch.Await().outcomes.at(0).balance, 405);
  EXPECT_EQ(single.Await().outcome.balance, 405);
}

TEST_F(TellerBatchTest, ColumnsThatDoNotFitAreRefused) {
  const std::array kinds = {Kind::kDeposit, Kind::kTransfer};
  const std::array odd = {Kind::kDeposit, Kind::kResolve};
  const std::array<int64_t, 3> amounts = {1, 1, 1};
  const std::array<uint32_t, 2> beyond = {0, 1};
  const uint64_t before = bank_.proposals();
  for (const Batch& batch :
       {Batch{.kind = kinds, .amount = amounts}, Batch{.kind = kinds, .account = beyond},
        Batch{.kind = kinds, .to = beyond}, Batch{.kind = odd}}) {
    const BatchReply& reply = BeginBatch(batch).Await();
    EXPECT_EQ(reply.fate, Fate::kNotApplied);
    EXPECT_FALSE(reply.reason.empty());
  }
  EXPECT_EQ(BeginBatch({}).Await().fate, Fate::kApplied) << "nothing asked, nothing wrong";
  EXPECT_EQ(bank_.proposals(), before);
}

TEST_F(TellerBatchTest, MoreKeylessWritesThanAWindowHoldsAreRefused) {
  const std::vector<Kind> kinds(9, Kind::kDeposit);
  const std::vector<int64_t> amounts(9, 1);
  const Batch batch{.kind = kinds, .amount = amounts};
  const BatchReply& reply = BeginBatch(batch).Await();
  EXPECT_EQ(reply.fate, Fate::kNotApplied);
  EXPECT_NE(reply.reason.find("at most 8"), std::string::npos) << reply.reason;
}

TEST_F(TellerBatchTest, LongNamesAreRefusedInTheirPlace) {
  const std::array kinds = {Kind::kDeposit, Kind::kDeposit};
  const std::array<int64_t, 2> amounts = {1, 1};
  const std::string mebibyte(1 << 20, 'x');
  const std::array<std::string_view, 2> names = {mebibyte, "shared"};
  const std::array<uint32_t, 2> accounts = {0, 1};
  const Batch batch{.kind = kinds, .amount = amounts, .names = names, .account = accounts};
  const BatchReply& reply = BeginBatch(batch).Await();
  ASSERT_EQ(reply.outcomes.size(), 2u);
  EXPECT_EQ(reply.outcomes[0].code, Code::kBadAccount);
  EXPECT_EQ(reply.outcomes[1].code, Code::kOk);
}

}  // namespace
}  // namespace bank::teller
