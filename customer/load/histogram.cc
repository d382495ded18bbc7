#include "customer/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace bank::load {
namespace {

constexpr int kBits = 6;  // 64 buckets per power of two
constexpr uint64_t kPerPower = 1 << kBits;

size_t BucketOf(uint64_t value) {
  if (value < kPerPower) return value;
  const int shift = std::bit_width(value) - kBits - 1;
  return static_cast<size_t>(shift + 1) * kPerPower + ((value >> shift) - kPerPower);
}

// Inclusive.
uint64_t HighestIn(size_t bucket) {
  if (bucket < kPerPower) return bucket;
  const auto shift = bucket / kPerPower - 1;
  return ((kPerPower + bucket % kPerPower + 1) << shift) - 1;
}

}  // namespace

Histogram::Histogram() : buckets_(BucketOf(INT64_MAX) + 1) {}

void Histogram::Add(int64_t value, uint64_t count) {
  value = std::max<int64_t>(value, 0);
  buckets_[BucketOf(static_cast<uint64_t>(value))] += count;
  count_ += count;
  max_ = std::max(max_, value);
}

int64_t Histogram::Quantile(double share) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted && seen > 0) {
      return std::min(max_, static_cast<int64_t>(HighestIn(bucket)));
    }
  }
  return 0;
}

}  // namespace bank::load
