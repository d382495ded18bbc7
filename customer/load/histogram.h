// Histogram of durations with a relative error below 1.6 %, whatever their range.
//
// Buckets are linear below 64 and then 64 per power of two, as in HdrHistogram. Fixed size,
// nothing allocated after the construction. One thread at a time.
#pragma once

#include <cstdint>
#include <vector>

namespace bank::load {

class Histogram {
 public:
  Histogram();
  // `value` >= 0 (less counts as 0), `count` times.
  void Add(int64_t value, uint64_t count = 1);
  // The highest value of the bucket that holds the given share of all values, 0 < share <= 1. 0 if
  // there are none.
  int64_t Quantile(double share) const;
  uint64_t count() const { return count_; }
  int64_t max() const { return max_; }

 private:
  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  int64_t max_ = 0;
};

}  // namespace bank::load
