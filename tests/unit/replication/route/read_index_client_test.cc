// Goal: reads share questions, never take an index that was asked for before they began, and wait
// for the local ledger.
// Method: a route and a clock in the test's hands; one thread.
#include "branch/replication/route/read_index_client.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/fake_transport.h"

namespace bank::replication {
namespace {

class ReadIndexClientTest : public testing::Test {
 protected:
  using Read = std::vector<absl::Status>;

  Read& Enter(int64_t timeout_ms = 5000) {
    reads_.push_back(std::make_unique<Read>());
    Read& read = *reads_.back();
    gate_.Enter(clock_.now_ns + timeout_ms * kNsPerMs,
                [&read](absl::Status status) { read.push_back(std::move(status)); });
    return read;
  }
  static ForwardResult Index(uint64_t index) {
    return {Fate::kNotApplied, {}, "", LogIndex(index), {}};
  }
  void PassMs(int64_t ms) {
    clock_.now_ns += ms * kNsPerMs;
    if (gate_.NextDeadlineNs() <= clock_.now_ns) gate_.OnTimer(clock_.now_ns);
  }
  void TearDown() override {
    gate_.Stop();
    for (const auto& read : reads_) EXPECT_EQ(read->size(), 1u);
  }

  TestClock clock_{kNsPerS};
  FakeTransport transport_;
  ReadIndexClient gate_{clock_, transport_};
  std::vector<std::unique_ptr<Read>> reads_;
};

TEST_F(ReadIndexClientTest, ReadsTogetherShareOneQuestion) {
  Read& a = Enter();
  Read& b = Enter();
  gate_.OnStatus(BranchId(2), LogIndex(10));
  ASSERT_EQ(transport_.submitted.size(), 1u);
  EXPECT_TRUE(transport_.submitted[0].request.read_index);
  EXPECT_EQ(transport_.submitted[0].request.count, 0u);
  transport_.Take().done(Index(10));
  EXPECT_TRUE(a.at(0).ok());
  EXPECT_TRUE(b.at(0).ok());
}

TEST_F(ReadIndexClientTest, ALaterReadNeedsALaterQuestion) {
  gate_.OnStatus(BranchId(2), LogIndex(10));
  Read& a = Enter();
  Read& b = Enter();
  ASSERT_EQ(transport_.submitted.size(), 1u);
  transport_.Take().done(Index(10));
  EXPECT_EQ(a.size(), 1u);
  EXPECT_TRUE(b.empty());
  ASSERT_EQ(transport_.submitted.size(), 1u);
  transport_.Take().done(Index(10));
  EXPECT_EQ(b.size(), 1u);
}

TEST_F(ReadIndexClientTest, WaitsForTheLocalLedger) {
  gate_.OnStatus(BranchId(2), LogIndex(10));
  Read& a = Enter();
  transport_.Take().done(Index(12));
  EXPECT_TRUE(a.empty());
  gate_.OnStatus(BranchId(2), LogIndex(11));
  EXPECT_TRUE(a.empty());
  gate_.OnStatus(BranchId(2), LogIndex(12));
  EXPECT_TRUE(a.at(0).ok());
}

TEST_F(ReadIndexClientTest, ANewLeaderIsAskedAgain) {
  gate_.OnStatus(BranchId(2), LogIndex(10));
  Read& a = Enter();
  auto old = transport_.Take();
  gate_.OnStatus(BranchId(0), LogIndex(10));
  gate_.OnStatus(BranchId(3), LogIndex(10));
  ASSERT_EQ(transport_.submitted.size(), 1u);
  EXPECT_EQ(transport_.submitted[0].leader, BranchId(3));
  old.done(Index(10));  // late: from a leader that may have been deposed
  EXPECT_TRUE(a.empty());
  transport_.Take().done(Index(10));
  EXPECT_TRUE(a.at(0).ok());
}

TEST_F(ReadIndexClientTest, ARefusalIsTriedAgainAfterAPause) {
  gate_.OnStatus(BranchId(2), LogIndex(10));
  Read& a = Enter();
  transport_.Take().done(Index(0));
  EXPECT_TRUE(transport_.submitted.empty());
  PassMs(30);
  ASSERT_EQ(transport_.submitted.size(), 1u);
  transport_.Take().done(Index(5));
  EXPECT_TRUE(a.at(0).ok());
}

TEST_F(ReadIndexClientTest, DeadlinesHoldInEveryState) {
  Read& waiting = Enter(100);
  PassMs(100);
  EXPECT_TRUE(absl::IsDeadlineExceeded(waiting.at(0)));
  gate_.OnStatus(BranchId(2), LogIndex(10));
  Read& asked = Enter(100);
  PassMs(100);
  EXPECT_TRUE(absl::IsDeadlineExceeded(asked.at(0)));
  transport_.Take().done(Index(10));
  Read& confirmed = Enter(100);
  transport_.Take().done(Index(11));
  PassMs(100);
  EXPECT_TRUE(absl::IsDeadlineExceeded(confirmed.at(0)));
  gate_.OnStatus(BranchId(2), LogIndex(11));
}

TEST_F(ReadIndexClientTest, TooManyAreRefusedAtOnce) {
  for (size_t i = 0; i < ReadIndexClient::kBarriersMax; ++i) Enter();
  EXPECT_TRUE(reads_.back()->empty());
  EXPECT_TRUE(absl::IsUnavailable(Enter().at(0)));
}

TEST_F(ReadIndexClientTest, StopAnswersEverything) {
  gate_.OnStatus(BranchId(2), LogIndex(10));
  Read& asked = Enter();
  Read& waiting = Enter();
  gate_.Stop();
  EXPECT_TRUE(absl::IsUnavailable(asked.at(0)));
  EXPECT_TRUE(absl::IsUnavailable(waiting.at(0)));
  EXPECT_TRUE(absl::IsUnavailable(Enter().at(0)));
  transport_.Take().done(Index(10));
}

}  // namespace
}  // namespace bank::replication
