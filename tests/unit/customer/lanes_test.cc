// Goal: batches over a stream are done exactly once, or their fate is told truly. Method: a lane
// against a branch of a fake bank that fails on order.
#include <gtest/gtest.h>

#include <atomic>

#include "customer/load/lane.h"
#include "tests/unit/customer/fake_bank.h"

namespace bank::load {
namespace {

using testing::Books;
using testing::FakeBranch;
using testing::Fault;
using Kind = testing::Fault::Kind;

class StreamLanes : public ::testing::Test {
 protected:
  // Deposits of 1 in batches of 5, two in flight.
  Tally Run(std::vector<Fault> faults, uint64_t operations,
            client::Patience patience = {.backoff_ns_min = 1'000'000},
            history::Op op = history::Op::kDeposit) {
    branch_.OrderForBatches(std::move(faults));
    auto branches = client::Connect({{BranchId(1), branch_.address()}}, {});
    EXPECT_TRUE(branches.ok());
    Mix mix = {};
    mix[static_cast<size_t>(op)] = 1;
    Mixed source(accounts_, {.mix = mix, .operations_max = operations});
    Engine engine(clock_, {.patience = patience}, stop_);
    const auto lane = MakeStreamLane(*branches, engine,
                                     {.session = SessionId(7),
                                      .window = 1000,
                                      .failover = false,
                                      .in_flight = 2,
                                      .batch_size = 5});
    return engine.Run(source, [&] { lane->Begin(); });
  }
  int64_t balance() {
    std::lock_guard lock(books_->mutex);
    return books_->balances["shared"];
  }

  std::vector<std::string> accounts_ = {"shared"};
  SteadyClock clock_;
  std::atomic<bool> stop_ = false;
  std::shared_ptr<Books> books_ = std::make_shared<Books>();
  FakeBranch branch_{1, books_};
};

TEST_F(StreamLanes, WhatGotLostIsSentAgainWithItsKeys) {
  const Tally tally = Run(
      {{}, {.kind = Kind::kLoseReply}, {.kind = Kind::kRefuse}, {.kind = Kind::kLoseReply}}, 50);
  EXPECT_EQ(tally.results, (std::map<std::string, uint64_t, std::less<>>{{"ok", 50}}));
  EXPECT_GT(tally.retries, 0u);
  EXPECT_EQ(balance(), 450);
}

TEST_F(StreamLanes, ALostSessionIsCertainAtFirstAndUnknownOnARetry) {
  EXPECT_EQ(Run({{.kind = Kind::kForgetSession}}, 5).results.at("unknown_session"), 5u);
  EXPECT_EQ(
      Run({{.kind = Kind::kLoseReply}, {.kind = Kind::kForgetSession}}, 5).results.at("unknown"),
      5u);
}

TEST_F(StreamLanes, WhatStaysUnknownUntilPatienceEndsIsNotCalledFailed) {
  const client::Patience patience = {
      .operation_ns_max = 200'000'000, .backoff_ns_min = 1'000'000, .backoff_ns_max = 2'000'000};
  std::vector<Fault> faults(100'000, {.kind = Kind::kRefuse});
  EXPECT_EQ(Run(faults, 5, patience).results.at("not_applied"), 5u);
  for (Fault& fault : faults) fault.kind = Kind::kLoseReply;
  EXPECT_EQ(Run(faults, 5, patience).results.at("unknown"), 5u);
}

TEST_F(StreamLanes, AnsweredBelowNeverPassesABatchThatIsSentAgain) {
  Run({{.kind = Kind::kRefuse}}, 50);
  std::lock_guard lock(books_->mutex);
  int first_again = 0;
  for (const v1::Batch& batch : books_->batches) {
    if (first_again == 2) break;
    EXPECT_EQ(batch.answered_below(), 1u);
    first_again += batch.first_sequence() == 1 ? 1 : 0;
  }
  EXPECT_EQ(first_again, 2);
}

TEST_F(StreamLanes, TransfersNameTheirReceivers) {
  accounts_ = {"shared", "other"};
  Run({}, 20, {}, history::Op::kTransfer);
  std::lock_guard lock(books_->mutex);
  EXPECT_FALSE(books_->batches.empty());
  for (const v1::Batch& batch : books_->batches) {
    ASSERT_EQ(batch.to_account_size(), batch.kind_size());
    for (int i = 0; i < batch.kind_size(); ++i) EXPECT_NE(batch.account(i), batch.to_account(i));
  }
}

TEST_F(StreamLanes, AnAnswerToAnotherBatchIsNone) {
  const Tally tally = Run({{.kind = Kind::kAnswerOther}}, 20);
  EXPECT_EQ(tally.results.at("ok"), 20u);
  EXPECT_GT(tally.retries, 0u);
  EXPECT_EQ(balance(), 420);
}

}  // namespace
}  // namespace bank::load
