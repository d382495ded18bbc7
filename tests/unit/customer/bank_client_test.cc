// Goal: every operation is done exactly once, or its fate is told truly, whatever the branches do.
// Method: a real client against two branches of a fake bank that fail on order.
#include "customer/client/bank_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "tests/support/fake_bank.h"
#include "tests/support/temp_folder.h"

namespace bank::client {
namespace {

using grpc::StatusCode;
using history::Ending;
using history::Op;
using testing::Books;
using testing::FakeBranch;
using testing::Fault;
using Kind = testing::Fault::Kind;

// A call that nobody holds up must end within an attempt, in a sanitized program too.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int64_t kSlowness = 4;
#else
constexpr int64_t kSlowness = 1;
#endif
constexpr Patience kPatience{.attempt_ns_max = kSlowness * 150'000'000,
                             .operation_ns_max = kSlowness * 600'000'000,
                             .lookup_ns_max = kSlowness * 300'000'000,
                             .backoff_ns_min = 1'000'000,
                             .backoff_ns_max = 20'000'000};
const history::Operation kDeposit{.op = Op::kDeposit, .amount = 70};

class BankClientTest : public ::testing::Test {
 protected:
  BankClientTest() { EXPECT_TRUE(client_->OpenSession(BranchId(1)).ok()); }

  std::unique_ptr<BankClient> MakeClient(BankClient::Options options) {
    auto branches = Connect({{BranchId(1), one_.address()}, {BranchId(2), two_.address()}}, {});
    EXPECT_TRUE(branches.ok());
    options.patience = kPatience;
    return std::make_unique<BankClient>(*std::move(branches), clock_, options);
  }

  int64_t balance() {
    std::lock_guard lock(books_->mutex);
    return books_->balances["shared"];
  }
  int lookups() {
    std::lock_guard lock(books_->mutex);
    return books_->lookups;
  }
  std::vector<v1::Request> requests() {
    std::lock_guard lock(books_->mutex);
    return books_->requests;
  }

  SteadyClock clock_;
  std::shared_ptr<Books> books_ = std::make_shared<Books>();
  FakeBranch one_{1, books_};
  FakeBranch two_{2, books_};
  std::unique_ptr<BankClient> client_ = MakeClient({});
};

TEST_F(BankClientTest, AnswersCarryTheReceipt) {
  const Answer answer = client_->Perform(kDeposit, BranchId(2));
  EXPECT_TRUE(answer.success());
  EXPECT_EQ(answer.balance, 470);
  EXPECT_EQ(answer.branch, BranchId(2));
  EXPECT_EQ(answer.identity.sequence, 1U);
  EXPECT_EQ(client_->seen(), answer.position);
  const Answer query = client_->Perform({.op = Op::kQuery}, BranchId(1));
  EXPECT_EQ(query.balance, 470);
  EXPECT_EQ(query.identity.sequence, 0U);
}

// What it calls answered, the bank may forget.
TEST_F(BankClientTest, WhatWasSeenIsNeverForgotten) {
  const Answer first = client_->Perform(kDeposit, BranchId(1));
  const Answer second = client_->Perform(kDeposit, BranchId(1));
  ASSERT_GT(second.position, first.position);
  client_->Lookup(first.identity.session, first.identity.sequence, BranchId(1));
  EXPECT_EQ(client_->seen(), second.position);
}

TEST_F(BankClientTest, CallsAnsweredOnlyWhatIs) {
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(client_->Perform(kDeposit, BranchId(1)).ending, Ending::kOk);
  ASSERT_EQ(requests().size(), 3u);
  for (const v1::Request& request : requests()) {
    EXPECT_EQ(request.answered_below(), request.sequence());
  }
}

TEST_F(BankClientTest, RefusalsAreAnswers) {
  const Answer answer = client_->Perform({.op = Op::kWithdraw, .amount = 401}, BranchId(1));
  EXPECT_EQ(answer.ending, Ending::kOk);
  EXPECT_EQ(answer.code, v1::INSUFFICIENT_FUNDS);
  EXPECT_EQ(answer.reason, "insufficient_funds");
  EXPECT_EQ(answer.attempts, 1U);
}

TEST_F(BankClientTest, RetriesElsewhereWithTheSameKey) {
  one_.Order({{Kind::kRefuse, StatusCode::FAILED_PRECONDITION}});
  const Answer answer = client_->Perform(kDeposit, BranchId(1));
  EXPECT_TRUE(answer.success());
  EXPECT_EQ(answer.branch, BranchId(2));
  ASSERT_EQ(requests().size(), 2U);
  EXPECT_EQ(requests()[0].SerializeAsString(), requests()[1].SerializeAsString());
}

TEST_F(BankClientTest, ALostReplyIsAnsweredAgainAndNothingHappensTwice) {
  for (Kind kind : {Kind::kLoseReply, Kind::kHangAfterDoing}) {
    one_.Order({{kind, StatusCode::UNAVAILABLE}});
    const Answer answer = client_->Perform(kDeposit, BranchId(1));
    EXPECT_TRUE(answer.success());
    EXPECT_TRUE(answer.replayed);
  }
  EXPECT_EQ(balance(), 400 + 2 * 70);
}

TEST_F(BankClientTest, ADeadBranchIsInvisibleButForLatency) {
  one_.Stop();
  EXPECT_TRUE(client_->Perform(kDeposit, BranchId(1)).success());
  EXPECT_EQ(balance(), 470);
}

TEST_F(BankClientTest, WithoutFailoverOnlyTheNamedBranchIsAsked) {
  auto client = MakeClient({.failover = false});
  ASSERT_TRUE(client->OpenSession(BranchId(1)).ok());
  one_.Order({{Kind::kRefuse, StatusCode::ABORTED}, {Kind::kRefuse, StatusCode::ABORTED}});
  const Answer answer = client->Perform(kDeposit, BranchId(1));
  EXPECT_EQ(answer.branch, BranchId(1));
  EXPECT_EQ(answer.attempts, 3U);
}

TEST_F(BankClientTest, CertainlyNotAppliedIsFail) {
  auto client = MakeClient({.failover = false});
  ASSERT_TRUE(client->OpenSession(BranchId(1)).ok());
  one_.Order(std::vector<Fault>(2000, {Kind::kRefuse, StatusCode::ABORTED}));
  const Answer answer = client->Perform(kDeposit, BranchId(1));
  EXPECT_EQ(answer.ending, Ending::kFail);
  EXPECT_EQ(lookups(), 0);
  EXPECT_EQ(balance(), 400);
}

TEST_F(BankClientTest, AtTheDeadlineTheBankIsAskedWhatBecameOfTheKey) {
  auto client = MakeClient({.failover = false});
  ASSERT_TRUE(client->OpenSession(BranchId(1)).ok());
  // Four attempts use up the patience; the lookup finds an honest branch.
  one_.Order({{Kind::kHangAfterDoing}, {Kind::kHang}, {Kind::kHang}, {Kind::kHang}});
  const Answer applied = client->Perform(kDeposit, BranchId(1));
  EXPECT_TRUE(applied.success());
  EXPECT_EQ(applied.balance, 470);
  one_.Order({{Kind::kHang}, {Kind::kHang}, {Kind::kHang}, {Kind::kHang}});
  const Answer not_applied = client->Perform(kDeposit, BranchId(1));
  EXPECT_EQ(not_applied.ending, Ending::kFail);
  EXPECT_GE(lookups(), 1);
}

TEST_F(BankClientTest, WhatNobodyCanTellIsUnknownAndCanBeAskedLater) {
  one_.Order({{Kind::kLoseReply, StatusCode::UNAVAILABLE}});
  two_.Order(std::vector<Fault>(2000, {Kind::kRefuse, StatusCode::UNAVAILABLE}));
  std::vector<Fault> one(2000, {Kind::kRefuse, StatusCode::UNAVAILABLE});
  one.front().kind = Kind::kLoseReply;
  one_.Order(one);
  const Answer answer = client_->Perform(kDeposit, BranchId(1));
  EXPECT_EQ(answer.ending, Ending::kInfo);
  one_.Order({});
  two_.Order({});
  const Answer later =
      client_->Lookup(answer.identity.session, answer.identity.sequence, BranchId());
  EXPECT_TRUE(later.success());
  EXPECT_EQ(later.balance, 470);
}

TEST_F(BankClientTest, AnExpiredSessionIsCertainAtFirstAndUnknownOnARetry) {
  one_.Order({{Kind::kAnswer}});
  const Answer first = client_->Perform(kDeposit, BranchId(1));
  EXPECT_EQ(first.ending, Ending::kOk);
  EXPECT_EQ(first.code, v1::UNKNOWN_SESSION);
  one_.Order({{Kind::kLoseReply, StatusCode::INTERNAL}});
  two_.Order({{Kind::kAnswer}});
  EXPECT_EQ(client_->Perform(kDeposit, BranchId(1)).ending, Ending::kInfo);
}

// A window begins at 1: sequences that went on would soon outrun it.
TEST_F(BankClientTest, ANewSessionCountsFromOne) {
  const Answer before = client_->Perform(kDeposit, BranchId(1));
  ASSERT_TRUE(client_->OpenSession(BranchId(1)).ok());
  const Answer after = client_->Perform(kDeposit, BranchId(1));
  EXPECT_NE(after.identity.session, before.identity.session);
  EXPECT_EQ(after.identity.sequence, 1U);
  EXPECT_EQ(balance(), 540);
}

TEST_F(BankClientTest, DeniedIsToldAtOnce) {
  one_.Order({{Kind::kRefuse, StatusCode::PERMISSION_DENIED}});
  const Answer answer = client_->Perform(kDeposit, BranchId(1));
  EXPECT_EQ(answer.ending, Ending::kFail);
  EXPECT_TRUE(answer.denied);
  EXPECT_EQ(answer.attempts, 1U);
}

TEST_F(BankClientTest, WaitsUntilTheBranchServes) {
  one_.SetServing(false);
  EXPECT_EQ(client_->AwaitServing(BranchId(1), clock_.NowNs() + 50'000'000).code(),
            absl::StatusCode::kUnavailable);
  std::jthread opener([&] { one_.SetServing(true); });
  EXPECT_TRUE(client_->AwaitServing(BranchId(1), clock_.NowNs() + 10'000'000'000).ok());
  EXPECT_EQ(client_->AwaitServing(BranchId(9), 0).code(), absl::StatusCode::kNotFound);
}

TEST_F(BankClientTest, TheHistoryHasOneLineForAllAttempts) {
  const TempFolder folder;
  const std::string path = folder.Of("history");
  auto recorder = history::Recorder::Open(*FindOutput(path, {}), {}, clock_);
  ASSERT_TRUE(recorder.ok());
  auto client = MakeClient({.process = 4, .recorder = recorder->get()});
  ASSERT_TRUE(client->OpenSession(BranchId(1)).ok());
  one_.Order({{Kind::kLoseReply, StatusCode::UNAVAILABLE}});
  client->Perform(kDeposit, BranchId(1));
  ASSERT_TRUE((*recorder)->Close().ok());
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_NE(lines[1].find(R"("type":"invoke","process":4,"id":1,)"), std::string::npos) << lines[1];
  EXPECT_NE(lines[2].find(R"("result":"ok","balance":470,)"), std::string::npos) << lines[2];
  EXPECT_NE(lines[2].find(R"("replayed":true,"branch":)"), std::string::npos) << lines[2];
}

}  // namespace
}  // namespace bank::client
