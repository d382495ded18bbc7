// LatencyHistogram: durations counted by many threads at once, read by anybody at any time.
//
// Record() is two relaxed atomic additions, without locks or allocations. Reading gives a
// LatencyCounts: a plain value, which can be merged with others and from which an earlier one can
// be taken away, so that a quantile can be of the last interval. Quantiles are at most 1.6 % above
// the true value, never below it. Nanoseconds; what is longer than 18 minutes counts as that.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/log_linear.h"

namespace bank {

struct LatencyCounts {
  using Buckets = LogLinear<6>;
  static constexpr int64_t kHighestNs = (int64_t{1} << 40) - 1;
  static constexpr size_t kBuckets = Buckets::BucketOf(kHighestNs) + 1;

  std::array<uint64_t, kBuckets> buckets{};
  uint64_t sum_ns = 0;

  static constexpr int64_t Clamped(int64_t ns) { return std::clamp<int64_t>(ns, 0, kHighestNs); }
  static constexpr size_t BucketOf(int64_t ns) {
    return Buckets::BucketOf(static_cast<uint64_t>(Clamped(ns)));
  }

  void Add(int64_t ns) {
    ++buckets[BucketOf(ns)];
    sum_ns += static_cast<uint64_t>(Clamped(ns));
  }

  uint64_t count() const {
    uint64_t all = 0;
    for (const uint64_t n : buckets) all += n;
    return all;
  }

  // How many lie, with their whole bucket, at or below `ns`: exact for 2^k - 1.
  uint64_t CountAtMost(int64_t ns) const {
    uint64_t all = 0;
    for (size_t i = 0; i < kBuckets && Buckets::HighestIn(i) <= static_cast<uint64_t>(ns); ++i) {
      all += buckets[i];
    }
    return all;
  }

  // The duration that the given share of all does not exceed, 0 < share <= 1. Nothing if there are
  // none.
  std::optional<int64_t> QuantileNs(double share) const {
    const uint64_t all = count();
    if (all == 0) return std::nullopt;
    const auto wanted =
        std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(share * static_cast<double>(all))));
    uint64_t seen = 0;
    size_t bucket = 0;
    while (bucket + 1 < kBuckets && (seen += buckets[bucket]) < wanted) ++bucket;
    return static_cast<int64_t>(Buckets::HighestIn(bucket));
  }

  LatencyCounts& operator+=(const LatencyCounts& other) {
    for (size_t i = 0; i < kBuckets; ++i) buckets[i] += other.buckets[i];
    sum_ns += other.sum_ns;
    return *this;
  }
  // `earlier` was read from the same histogram before.
  LatencyCounts& operator-=(const LatencyCounts& earlier) {
    for (size_t i = 0; i < kBuckets; ++i) buckets[i] -= earlier.buckets[i];
    sum_ns -= earlier.sum_ns;
    return *this;
  }
};

class LatencyHistogram {
 public:
  // `times`: how many took so long, as the operations of one batch do.
  void Record(int64_t ns, uint64_t times = 1) {
    buckets_[LatencyCounts::BucketOf(ns)].fetch_add(times, std::memory_order_relaxed);
    sum_ns_.fetch_add(static_cast<uint64_t>(LatencyCounts::Clamped(ns)) * times,
                      std::memory_order_relaxed);
  }

  // What is recorded meanwhile may be in it or not.
  LatencyCounts Read() const {
    LatencyCounts counts;
    for (size_t i = 0; i < LatencyCounts::kBuckets; ++i) {
      counts.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
    }
    counts.sum_ns = sum_ns_.load(std::memory_order_relaxed);
    return counts;
  }

 private:
  std::array<std::atomic<uint64_t>, LatencyCounts::kBuckets> buckets_{};
  std::atomic<uint64_t> sum_ns_{0};
};

}  // namespace bank
