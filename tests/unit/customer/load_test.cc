// Goal: the load measures and asks what it says. Method: known values against the histogram's
// quantiles; drawn operations counted; windows of sequences walked.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "absl/strings/str_cat.h"

#include "customer/load/pace.h"
#include "customer/load/worker.h"
#include "customer/load/workload.h"

namespace bank::load {
namespace {

using history::Op;

TEST(Tally, QuantilesNeverPassTheLongest) {
  Tally tally;
  EXPECT_EQ(tally.QuantileNs(0.5), 0);
  for (int64_t ns = 1; ns <= 1'000'000; ++ns) tally.latency.Add(ns);
  tally.latency_ns_max = 1'000'000;
  EXPECT_EQ(tally.operations(), 1'000'000u);
  EXPECT_EQ(tally.QuantileNs(1), 1'000'000);
  EXPECT_GE(tally.QuantileNs(0.5), 500'000);
  EXPECT_LE(tally.QuantileNs(0.5), 508'000);
}

TEST(Pace, GrowsToTheMostWhileAnswersComeSoon) {
  Pace pace(16'000, 2'000'000'000);
  EXPECT_EQ(pace.allowed(), Pace::kFew);
  for (int i = 0; i < 16'000; ++i) {
    pace.Begin();
    pace.End(1'000'000);
  }
  EXPECT_EQ(pace.allowed(), 16'000u);
  Pace small(3, 2'000'000'000);
  EXPECT_EQ(small.allowed(), 3u);
  small.Begin();
  small.End(INT64_MAX / 2);
  EXPECT_EQ(small.allowed(), 3u);
}

// A server that answers so many a second, one after the other, however many are asked: the time
// that an answer takes is the queue before it.
TEST(Pace, StaysWithinTheTimeThatACallHas) {
  constexpr int64_t kAttemptNs = 2'000'000'000;
  for (const int64_t per_second : {500, 5'000, 50'000, 5'000'000}) {
    Pace pace(48'000, kAttemptNs);
    std::deque<int64_t> begun_ns;
    int64_t now_ns = 0;
    int64_t longest_ns = 0;
    for (int answered = 0; answered < 400'000; ++answered) {
      while (pace.HasRoom()) {
        pace.Begin();
        begun_ns.push_back(now_ns);
      }
      now_ns += 1'000'000'000 / per_second;
      longest_ns = std::max(longest_ns, now_ns - begun_ns.front());
      pace.End(now_ns - begun_ns.front());
      begun_ns.pop_front();
    }
    EXPECT_LT(longest_ns, kAttemptNs / 2) << per_second;
    EXPECT_GE(pace.allowed(), Pace::kFew) << per_second;
  }
}

TEST(Workload, DrawsByWeightAndRepeatsBySeed) {
  const std::vector<std::string> accounts = {"a", "b", "c"};
  const auto mix = ParseMix("deposit=3,transfer=1");
  ASSERT_TRUE(mix.ok());
  const Mixed::Options options{.mix = *mix, .operations_max = 4000, .amount_max = 9, .seed = 7};
  Mixed one(accounts, options), two(accounts, options);
  int transfers = 0, count = 0;
  while (auto operation = one.Next()) {
    ++count;
    const auto same = two.Next();
    EXPECT_EQ(operation->account, same->account);
    EXPECT_EQ(operation->amount, same->amount);
    EXPECT_GE(operation->amount, 1);
    EXPECT_LE(operation->amount, 9);
    if (operation->op != Op::kTransfer) continue;
    ++transfers;
    EXPECT_NE(operation->to, operation->account);
  }
  EXPECT_EQ(count, 4000);
  EXPECT_NEAR(transfers, 1000, 150);
}

TEST(Workload, BadMixesAreRefused) {
  for (const char* bad :
       {"", "deposit", "deposit=", "deposit=-1", "steal=1", "open=1", "deposit=1000001"}) {
    EXPECT_EQ(ParseMix(bad).status().message(),
              absl::StrCat("'", bad, "' is not query, deposit, withdraw or transfer with =WEIGHT"));
  }
  EXPECT_EQ(ParseMix("deposit=0,query=0").status().message(), "all weights are zero");
  EXPECT_TRUE(ParseMix("deposit=1000000").ok());
}

TEST(Sequences, AnsweredBelowIsTheOldestUnanswered) {
  Sequences sequences(4);
  EXPECT_EQ(sequences.answered_below(), 1U);
  EXPECT_EQ(sequences.Take(), 1U);
  EXPECT_EQ(sequences.Take(), 2U);
  EXPECT_EQ(sequences.Take(), 3U);
  EXPECT_FALSE(sequences.HasRoom(1));
  sequences.Answer(2);
  EXPECT_EQ(sequences.answered_below(), 1U);
  sequences.Answer(1);
  EXPECT_EQ(sequences.answered_below(), 3U);
  EXPECT_TRUE(sequences.HasRoom(2));
}

}  // namespace
}  // namespace bank::load
