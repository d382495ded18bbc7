// LogLinear: buckets whose width grows with the value: linear below 2^kBits and then 2^kBits per
// power of two, as in HdrHistogram. A value and the highest of its bucket differ by less than one
// part in 2^kBits. Pure.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace bank {

template <int kBits>
struct LogLinear {
  static constexpr uint64_t kPerPower = uint64_t{1} << kBits;

  static constexpr size_t BucketOf(uint64_t value) {
    if (value < kPerPower) return value;
    const int shift = std::bit_width(value) - kBits - 1;
    return static_cast<size_t>(shift + 1) * kPerPower + ((value >> shift) - kPerPower);
  }

  // Inclusive.
  static constexpr uint64_t HighestIn(size_t bucket) {
    if (bucket < kPerPower) return bucket;
    const auto shift = bucket / kPerPower - 1;
    return ((kPerPower + bucket % kPerPower + 1) << shift) - 1;
  }
};

}  // namespace bank
