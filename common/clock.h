// Time as the bank's code sees it. Code never asks the operating system for the time itself.
#pragma once

#include <cstdint>

namespace bank {

inline constexpr int64_t kNsPerMs = 1'000'000;
inline constexpr int64_t kNsPerS = 1'000'000'000;

// A steady, never decreasing clock. Thread-safe. The zero point means nothing.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t NowNs() const = 0;
  int64_t NowMs() const { return NowNs() / kNsPerMs; }
};

// CLOCK_MONOTONIC: one zero point for all processes of a machine, which is what lets the checker
// order the operations of several customers.
class SteadyClock final : public Clock {
 public:
  int64_t NowNs() const override;
};

}  // namespace bank
