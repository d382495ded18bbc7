#include "customer/load/histogram.h"

#include <algorithm>
#include <cmath>

#include "common/log_linear.h"

namespace bank::load {
namespace {

using Buckets = LogLinear<6>;

}  // namespace

Histogram::Histogram() : buckets_(Buckets::BucketOf(INT64_MAX) + 1) {}

void Histogram::Add(int64_t value, uint64_t count) {
  value = std::max<int64_t>(value, 0);
  buckets_[Buckets::BucketOf(static_cast<uint64_t>(value))] += count;
  count_ += count;
  max_ = std::max(max_, value);
}

int64_t Histogram::Quantile(double share) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted && seen > 0) {
      return std::min(max_, static_cast<int64_t>(Buckets::HighestIn(bucket)));
    }
  }
  return 0;
}

}  // namespace bank::load
