// Time as the bank's code sees it. Code never asks the operating system for the time itself.
#pragma once

#include <cstdint>
#include <ctime>

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

// CPU time that the calling thread has used.
class ThreadCpuClock final : public Clock {
 public:
  int64_t NowNs() const override {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  }
  // One for all: it holds nothing.
  static const ThreadCpuClock& Instance() {
    static const ThreadCpuClock clock;
    return clock;
  }
};

}  // namespace bank
