// Goal: what a load's workers ask is done exactly once, or its fate is told truly. Method: a worker
// against a branch of a fake bank that fails on order.
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "customer/load/pace.h"
#include "customer/load/worker.h"
#include "tests/support/fake_bank.h"
#include "tests/support/temp_folder.h"

namespace bank::load {
namespace {

using testing::Books;
using testing::FakeBranch;
using testing::Fault;
using Kind = testing::Fault::Kind;

class Workers : public ::testing::Test {
 protected:
  using Maker = decltype(MakeStreamWorker);

  // A worker to branches at `addresses`, with two deposits of 1, or two batches of 5, in flight.
  Tally Run(Maker* make, const std::vector<net::BranchAddress>& addresses, uint64_t operations,
            client::Patience patience, history::Op op = history::Op::kDeposit,
            uint32_t in_flight = 2, uint64_t window = 1000) {
    auto branches = client::Connect(addresses, {});
    EXPECT_TRUE(branches.ok());
    const auto recorder =
        history::Recorder::Open(*FindOutput(folder_.Of("history"), {}), {}, clock_);
    EXPECT_TRUE(recorder.ok());
    Mix mix = {};
    mix[static_cast<size_t>(op)] = 1;
    Mixed source(accounts_, {.mix = mix, .operations_max = operations});
    Engine engine(clock_, {.patience = patience, .recorder = recorder->get()}, stop_);
    const auto worker =
        make(*branches, engine,
             {.session = SessionId(7), .window = window, .in_flight = in_flight, .batch_size = 5});
    return engine.Run(source, [&] { worker->Begin(); });
  }
  int64_t balance() {
    std::lock_guard lock(books_->mutex);
    return books_->balances["shared"];
  }

  // How often the history of the last run says this.
  int CountInHistory(const std::string& words) {
    std::ifstream file(folder_.Of("history"));
    int count = 0;
    for (std::string line; std::getline(file, line);) {
      if (line.find(words) != std::string::npos) ++count;
    }
    return count;
  }

  const TempFolder folder_;
  std::vector<std::string> accounts_ = {"shared"};
  SteadyClock clock_;
  std::atomic<bool> stop_ = false;
  std::shared_ptr<Books> books_ = std::make_shared<Books>();
  FakeBranch branch_{1, books_};
};

class StreamWorkers : public Workers {
 protected:
  Tally Run(std::vector<Fault> faults, uint64_t operations,
            client::Patience patience = {.backoff_ns_min = 1'000'000},
            history::Op op = history::Op::kDeposit) {
    branch_.OrderForBatches(std::move(faults));
    return Workers::Run(MakeStreamWorker, {{BranchId(1), branch_.address()}}, operations, patience,
                        op);
  }
};

TEST_F(StreamWorkers, WhatGotLostIsSentAgainWithItsKeys) {
  const Tally tally = Run(
      {{}, {.kind = Kind::kLoseReply}, {.kind = Kind::kRefuse}, {.kind = Kind::kLoseReply}}, 50);
  EXPECT_EQ(tally.results, (std::map<std::string, uint64_t, std::less<>>{{"ok", 50}}));
  EXPECT_GT(tally.retries, 0u);
  EXPECT_EQ(balance(), 450);
}

TEST_F(StreamWorkers, ALostSessionIsCertainAtFirstAndUnknownOnARetry) {
  EXPECT_EQ(Run({{.kind = Kind::kAnswer}}, 5).results.at("unknown_session"), 5u);
  EXPECT_EQ(Run({{.kind = Kind::kLoseReply}, {.kind = Kind::kAnswer}}, 5).results.at("unknown"),
            5u);
}

TEST_F(StreamWorkers, WhatStaysUnknownUntilPatienceEndsIsNotCalledFailed) {
  const client::Patience patience = {
      .operation_ns_max = 200'000'000, .backoff_ns_min = 1'000'000, .backoff_ns_max = 2'000'000};
  std::vector<Fault> faults(100'000, {.kind = Kind::kRefuse});
  EXPECT_EQ(Run(faults, 5, patience).results.at("not_applied"), 5u);
  for (Fault& fault : faults) fault.kind = Kind::kLoseReply;
  EXPECT_EQ(Run(faults, 5, patience).results.at("unknown"), 5u);
}

TEST_F(StreamWorkers, AnsweredBelowNeverPassesABatchThatIsSentAgain) {
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

TEST_F(StreamWorkers, TransfersNameTheirReceivers) {
  accounts_ = {"shared", "other"};
  Run({}, 20, {}, history::Op::kTransfer);
  std::lock_guard lock(books_->mutex);
  EXPECT_FALSE(books_->batches.empty());
  for (const v1::Batch& batch : books_->batches) {
    ASSERT_EQ(batch.to_account_size(), batch.kind_size());
    for (int i = 0; i < batch.kind_size(); ++i) EXPECT_NE(batch.account(i), batch.to_account(i));
  }
}

TEST_F(StreamWorkers, AnAnswerToAnotherBatchIsNone) {
  const Tally tally = Run({{.kind = Kind::kAnswerOther}}, 20);
  EXPECT_EQ(tally.results.at("ok"), 20u);
  EXPECT_GT(tally.retries, 0u);
  EXPECT_EQ(balance(), 420);
}

// The reply itself says that it is certain.
TEST_F(StreamWorkers, WhatIsAnsweredAsNotAppliedFailed) {
  EXPECT_EQ(Run({{.kind = Kind::kAnswer, .code = v1::NOT_APPLIED}}, 5).results.at("not_applied"),
            5u);
  EXPECT_EQ(CountInHistory(R"({"type":"fail")"), 5);
  EXPECT_EQ(balance(), 400);
}

// The batch was done, its reply got lost, and then nobody listened any more.
TEST_F(StreamWorkers, WhatMayHaveBeenDoneIsUnknownThoughItCannotBeSentAgain) {
  std::jthread stopper([&] {
    const auto asked = [&] {
      std::lock_guard lock(books_->mutex);
      return !books_->batches.empty();
    };
    while (!asked()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    branch_.Stop();
  });
  const client::Patience patience = {
      .operation_ns_max = 500'000'000, .backoff_ns_min = 1'000'000, .backoff_ns_max = 2'000'000};
  const Tally tally = Run(std::vector<Fault>(100'000, {.kind = Kind::kLoseReply}), 5, patience);
  EXPECT_EQ(tally.results.at("unknown"), 5u);
  EXPECT_EQ(CountInHistory(R"({"type":"info")"), 5);
}

TEST_F(Workers, WhereNobodyListensTheNextBranchIsAsked) {
  FakeBranch deaf(2, books_);
  deaf.Stop();
  const client::Patience patience = {.operation_ns_max = 10'000'000'000,
                                     .backoff_ns_min = 1'000'000};
  for (Maker* make : {MakeStreamWorker, MakeUnaryWorker}) {
    const Tally tally =
        Run(make, {{BranchId(2), deaf.address()}, {BranchId(1), branch_.address()}}, 20, patience);
    EXPECT_EQ(tally.results.at("ok"), 20u);
    std::lock_guard lock(books_->mutex);
    books_->outcomes.clear();  // the next worker has the same session
  }
  EXPECT_EQ(balance(), 440);
}

// The history tells how many were under way at a time: one more with each answer, at most.
TEST_F(Workers, AsManyAsAreAskedForBeginOnlyWithTheAnswers) {
  const Tally tally = Run(MakeUnaryWorker, {{BranchId(1), branch_.address()}}, 2'000, {},
                          history::Op::kDeposit, /*in_flight=*/16'000, /*window=*/16'384);
  EXPECT_EQ(tally.results.at("ok"), 2'000u);
  std::ifstream file(folder_.Of("history"));
  int invoked = 0;
  int answered = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.find(R"("type":"invoke")") != std::string::npos) ++invoked;
    if (line.find(R"("type":"ok")") != std::string::npos) ++answered;
    ASSERT_LE(invoked - answered, static_cast<int>(Pace::kFew) + answered) << line;
  }
  EXPECT_EQ(invoked, 2'000);
}

// A session's window bounds what may be under way, however many are asked for.
TEST_F(Workers, ASessionsWindowIsNeverOutrun) {
  for (Maker* make : {MakeStreamWorker, MakeUnaryWorker}) {
    const Tally tally = Run(make, {{BranchId(1), branch_.address()}}, 200, {},
                            history::Op::kDeposit, /*in_flight=*/100, /*window=*/8);
    EXPECT_EQ(tally.results.at("ok"), 200u);
    std::lock_guard lock(books_->mutex);
    for (const v1::Request& request : books_->requests) {
      EXPECT_LT(request.sequence() - request.answered_below(), 8u);
    }
    books_->outcomes.clear();  // the next worker has the same session
  }
}

// Both deposits are done, neither is answered in time: each learns its own outcome.
TEST_F(Workers, EachOperationIsLookedUpByItsOwnKey) {
  branch_.Order({{.kind = Kind::kHangAfterDoing}, {.kind = Kind::kHangAfterDoing}});
  const client::Patience patience = {.attempt_ns_max = 1'000'000'000,
                                     .operation_ns_max = 1'000'000'000,
                                     .lookup_ns_max = 30'000'000'000};
  const Tally tally = Run(MakeUnaryWorker, {{BranchId(1), branch_.address()}}, 2, patience);
  EXPECT_EQ(tally.results.at("ok"), 2u);
  EXPECT_EQ(CountInHistory(R"("result":"ok","balance":401,)"), 1);
  EXPECT_EQ(CountInHistory(R"("result":"ok","balance":402,)"), 1);
}

}  // namespace
}  // namespace bank::load
