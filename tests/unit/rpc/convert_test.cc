// Goal: every word of the wire has its one meaning, and nonsense is refused before the bank.
// Method: tables.
#include "branch/rpc/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "absl/strings/escaping.h"
#include "bank/v1/admin.pb.h"

namespace bank::rpc {
namespace {

using ledger::Code;
using ledger::Kind;
using ledger::Outcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Interface, NamesAreExact) {
  EXPECT_EQ(KindOfInterface("query"), Kind::kQuery);
  EXPECT_EQ(KindOfInterface("deposit"), Kind::kDeposit);
  EXPECT_EQ(KindOfInterface("withdraw"), Kind::kWithdraw);
  EXPECT_EQ(KindOfInterface("transfer"), Kind::kTransfer);
  EXPECT_EQ(KindOfInterface("open"), Kind::kOpen);
  for (const char* name : {"", "Query", "QUERY", "deposit ", "deposits", "open_session"}) {
    EXPECT_FALSE(KindOfInterface(name).has_value()) << name;
  }
}

TEST(Request, EveryFieldIsTaken) {
  v1::Request request;
  request.set_account("from");
  request.set_to_account("to");
  request.set_money(5);
  request.set_session(6);
  request.set_sequence(7);
  request.set_answered_below(4);
  request.set_consistency(v1::AT_LEAST);
  request.set_minimum_position(8);
  const teller::Operation operation = OperationOf(Kind::kTransfer, request);
  EXPECT_EQ(operation.kind, Kind::kTransfer);
  EXPECT_EQ(operation.account, "from");
  EXPECT_EQ(operation.to, "to");
  EXPECT_EQ(operation.amount, 5);
  EXPECT_EQ(operation.session, SessionId(6));
  EXPECT_EQ(operation.sequence, 7u);
  EXPECT_EQ(operation.answered_below, 4u);
  EXPECT_EQ(operation.consistency, teller::Consistency::kAtLeast);
  EXPECT_EQ(operation.minimum_position, Position(8));
}

TEST(Reply, CarriesTheOutcome) {
  for (int code = 0; code <= 13; ++code) {
    v1::Reply reply;
    FillReply({.code = static_cast<Code>(code),
               .replayed = true,
               .position = Position(7),
               .balance = INT64_MAX},
              BranchId(3), &reply);
    EXPECT_EQ(reply.success(), code == 0);
    EXPECT_EQ(reply.code(), code);
    EXPECT_TRUE(v1::ResultCode_IsValid(code));
    EXPECT_EQ(reply.message().empty(), code == 0);
    EXPECT_EQ(reply.money(), INT64_MAX);
    EXPECT_EQ(reply.position(), 7u);
    EXPECT_EQ(reply.branch(), 3u);
    EXPECT_TRUE(reply.replayed());
  }
}

// Bytes of clients that know the position by the name it had before, `log_index`.
TEST(Wire, NumbersOfThePositionAreThoseOfOldClients) {
  const auto parsed = [](auto message, const char* hex) {
    EXPECT_TRUE(message.ParseFromString(absl::HexStringToBytes(hex)));
    EXPECT_TRUE(message.GetReflection()->GetUnknownFields(message).empty());
    return message;
  };
  EXPECT_EQ(parsed(v1::Reply(), "08012007").position(), 7u);
  EXPECT_EQ(parsed(v1::OpenSessionReply(), "1807").position(), 7u);
  EXPECT_EQ(parsed(v1::Request(), "0a0571756572794807").minimum_position(), 7u);
  EXPECT_EQ(parsed(v1::BatchReply(), "280a").first_position(), 10u);
  EXPECT_THAT(parsed(v1::BatchReply(), "3202000d").position_step(), ElementsAre(0, -7));
  EXPECT_EQ(parsed(v1::StatusRequest(), "0807").minimum_position(), 7u);
  EXPECT_EQ(parsed(v1::BranchStatus(), "3007").position(), 7u);
}

TEST(Reply, BadRequestShowsALittleOfWhatCame) {
  v1::Reply reply;
  FillBadRequest(std::string(1 << 20, 'x') + "\n", BranchId(1), &reply);
  EXPECT_FALSE(reply.success());
  EXPECT_EQ(reply.code(), v1::BAD_REQUEST);
  EXPECT_LT(reply.message().size(), 200u);
  FillBadRequest("\xc3\xa9\n", BranchId(1), &reply);
  EXPECT_THAT(reply.message(), HasSubstr("'\\xc3\\xa9\\n'"));
}

TEST(Fate, CertainAndUnknownAreToldApart) {
  using teller::Fate;
  const grpc::Status certain = StatusOfFate(Fate::kNotApplied, "why", true);
  EXPECT_EQ(certain.error_code(), grpc::StatusCode::ABORTED);
  const grpc::Status late = StatusOfFate(Fate::kUnknown, "why", true);
  EXPECT_EQ(late.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  const grpc::Status lost = StatusOfFate(Fate::kUnknown, "why", false);
  EXPECT_EQ(lost.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(late.error_message(), HasSubstr("unknown"));
  EXPECT_THAT(lost.error_message(), HasSubstr("unknown"));
  EXPECT_THAT(certain.error_message(), Not(HasSubstr("unknown")));
  const grpc::Status unread = StatusOfFate(Fate::kUnavailable, "why", false);
  EXPECT_EQ(unread.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(unread.error_message(), Not(HasSubstr("unknown")));
}

TEST(Batch, ColumnsAreTakenAsTheyAre) {
  v1::Batch batch;
  batch.add_account_name("a");
  batch.add_account_name("b");
  for (auto kind : {v1::Batch::DEPOSIT, v1::Batch::TRANSFER, v1::Batch::QUERY}) {
    batch.add_kind(kind);
  }
  for (int64_t money : {5, -6, 7}) batch.add_money(money);
  for (uint32_t account : {1, 0, 1}) batch.add_account(account);
  batch.set_session(9);
  batch.set_first_sequence(10);
  batch.set_answered_below(8);
  BatchScratch scratch;
  const teller::Batch columns = ColumnsOf(batch, &scratch);
  EXPECT_THAT(columns.kind, ElementsAre(Kind::kDeposit, Kind::kTransfer, Kind::kQuery));
  EXPECT_THAT(columns.amount, ElementsAre(5, -6, 7));
  EXPECT_THAT(columns.names, ElementsAre("a", "b"));
  EXPECT_THAT(columns.account, ElementsAre(1, 0, 1));
  EXPECT_TRUE(columns.to.empty());
  EXPECT_EQ(columns.session, SessionId(9));
  EXPECT_EQ(columns.first_sequence, 10u);
  EXPECT_EQ(columns.answered_below, 8u);
  for (uint32_t to : {0, 1, 0}) batch.add_to_account(to);
  EXPECT_THAT(ColumnsOf(batch, &scratch).to, ElementsAre(0, 1, 0));
  batch.set_kind(2, static_cast<v1::Batch::Kind>(99));  // of a version to come
  EXPECT_EQ(ColumnsOf(batch, &scratch).kind[2], Kind{0});
}

TEST(Batch, AFateIsTheWholeBatchs) {
  v1::BatchReply reply;
  FillBatchReply({.fate = teller::Fate::kUnknown, .reason = "late"}, &reply);
  EXPECT_EQ(reply.fate(), v1::BatchReply::UNKNOWN);
  EXPECT_EQ(reply.message(), "late");
  for (auto fate : {teller::Fate::kNotApplied, teller::Fate::kUnavailable}) {
    FillBatchReply({.fate = fate, .reason = "no"}, &reply);
    EXPECT_EQ(reply.fate(), v1::BatchReply::NOT_APPLIED);
  }
  EXPECT_EQ(reply.code_size(), 0);
}

TEST(Batch, StepsLeadFromOneReceiptToTheNext) {
  const auto outcome = [](uint64_t position) {
    return Outcome{
        .code = Code::kOk, .replayed = false, .position = Position(position), .balance = 1};
  };
  v1::BatchReply reply;
  FillBatchReply({.fate = teller::Fate::kApplied,
                  .outcomes = {outcome(10), outcome(11), outcome(4), outcome(12)}},
                 &reply);
  EXPECT_EQ(reply.first_position(), 10u);
  EXPECT_THAT(reply.position_step(), ElementsAre(0, 1, -7, 8));
  EXPECT_EQ(reply.code_size(), 4);
  EXPECT_EQ(reply.money_size(), 4);
  EXPECT_EQ(reply.replayed_size(), 0) << "costs nothing when nothing was answered again";
}

TEST(Batch, TellsWhichOutcomesAreAnsweredAgain) {
  const Outcome first{.code = Code::kOk, .replayed = false, .position = Position(10), .balance = 1};
  Outcome again = first;
  again.replayed = true;
  v1::BatchReply reply;
  FillBatchReply({.fate = teller::Fate::kApplied, .outcomes = {first, again, again, first}},
                 &reply);
  EXPECT_THAT(reply.replayed(), ElementsAre(false, true, true, false));
}

TEST(Convert, ABalanceThatAnInt32CannotHoldIsNotTold) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  for (const ledger::Kind kind : {ledger::Kind::kQuery, ledger::Kind::kDeposit}) {
    v1::Reply fits;
    fits.set_money(kMost);
    EXPECT_TRUE(FitInt32(kind, &fits).ok());
    EXPECT_EQ(fits.money(), kMost);
  }
  v1::Reply reply;
  reply.set_success(true);
  reply.set_money(kMost + 1);
  EXPECT_TRUE(FitInt32(ledger::Kind::kWithdraw, &reply).ok());
  EXPECT_TRUE(reply.success());
  EXPECT_EQ(reply.money(), 0);
  EXPECT_NE(reply.message(), "");
  reply.set_money(int64_t{1} << 32);
  EXPECT_EQ(FitInt32(ledger::Kind::kQuery, &reply).error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(reply.money(), 0);
}

}  // namespace
}  // namespace bank::rpc
