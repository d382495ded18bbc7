// Counters that only grow, until they wrap or begin anew. Pure.
#pragma once

#include <cstdint>
#include <optional>

namespace bank::telemetry {

// By how much a counter grew. Nothing if it began anew: how much it had grown before is not known.
// One of 32 bits (as 32-bit kernels and some network cards have) may wrap: that is believed only of
// a counter that was just below 2^32 and now is just above 0.
inline std::optional<uint64_t> CounterGrowth(uint64_t before, uint64_t now) {
  if (now >= before) return now - before;
  constexpr uint64_t kEnd = uint64_t{1} << 32;
  constexpr uint64_t kNear = uint64_t{1} << 28;
  if (before < kEnd && before >= kEnd - kNear && now < kNear) return kEnd - before + now;
  return std::nullopt;
}

}  // namespace bank::telemetry
