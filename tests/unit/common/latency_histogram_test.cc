// Goal: a histogram's counts are exact and its quantiles within the stated error, over the whole
// range and also for an interval. Method: known values, and two threads at once.
#include "common/latency_histogram.h"

#include <gtest/gtest.h>

#include <thread>

namespace bank {
namespace {

TEST(LatencyHistogram, QuantilesAreWithinTheStatedError) {
  for (const int64_t ns : {0L, 1L, 15L, 16L, 17L, 999L, 123'456L, 98'765'432L, 500'000'000'000L}) {
    LatencyHistogram histogram;
    histogram.Record(ns);
    const int64_t found = *histogram.Read().QuantileNs(0.5);
    EXPECT_GE(found, ns);
    EXPECT_LE(static_cast<double>(found), static_cast<double>(ns) * 1.016) << ns;
  }
}

TEST(LatencyHistogram, QuantilesOfAThousandValues) {
  LatencyHistogram histogram;
  for (int64_t us = 1; us <= 1000; ++us) histogram.Record(us * 1000);
  const LatencyCounts counts = histogram.Read();
  EXPECT_EQ(counts.count(), 1000u);
  EXPECT_EQ(counts.sum_ns, 500'500'000u);
  EXPECT_NEAR(static_cast<double>(*counts.QuantileNs(0.5)), 500e3, 500e3 * 0.016);
  EXPECT_NEAR(static_cast<double>(*counts.QuantileNs(0.99)), 990e3, 990e3 * 0.016);
  EXPECT_NEAR(static_cast<double>(*counts.QuantileNs(1)), 1000e3, 1000e3 * 0.016);
}

TEST(LatencyHistogram, NothingRecordedHasNoQuantile) {
  EXPECT_FALSE(LatencyHistogram().Read().QuantileNs(0.5).has_value());
}

TEST(LatencyHistogram, OutOfRangeCountsAsTheEnds) {
  LatencyHistogram histogram;
  histogram.Record(-5);
  EXPECT_EQ(histogram.Read().QuantileNs(1), 0);
  histogram.Record(INT64_MAX);
  EXPECT_EQ(histogram.Read().QuantileNs(1), LatencyCounts::kHighestNs);
}

TEST(LatencyHistogram, ADifferenceIsOfTheIntervalAlone) {
  LatencyHistogram histogram;
  histogram.Record(1'000'000, 100);
  const LatencyCounts before = histogram.Read();
  histogram.Record(1000, 3);
  LatencyCounts interval = histogram.Read();
  interval -= before;
  EXPECT_EQ(interval.count(), 3u);
  EXPECT_LT(*interval.QuantileNs(1), 1100);
  LatencyCounts all = before;
  all += interval;
  EXPECT_EQ(all.count(), 103u);
  EXPECT_EQ(all.sum_ns, histogram.Read().sum_ns);
}

TEST(LatencyHistogram, CountsAtMostAreExactAtPowersOfTwo) {
  LatencyHistogram histogram;
  for (int64_t ns = 0; ns < 4096; ++ns) histogram.Record(ns);
  for (const int64_t limit : {15L, 63L, 255L, 1023L, 2047L, 4095L}) {
    EXPECT_EQ(histogram.Read().CountAtMost(limit), static_cast<uint64_t>(limit) + 1);
  }
}

TEST(LatencyHistogram, ManyThreadsLoseNothing) {
  LatencyHistogram histogram;
  constexpr int kTimes = 50'000;
  const auto record = [&] {
    for (int i = 0; i < kTimes; ++i) histogram.Record(i);
  };
  std::thread other(record);
  record();
  other.join();
  EXPECT_EQ(histogram.Read().count(), 2u * kTimes);
}

}  // namespace
}  // namespace bank
