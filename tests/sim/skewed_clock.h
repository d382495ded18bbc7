// SkewedClock: what one branch believes the time to be: too fast, too slow, jumping ahead, but
// never going backwards, as a steady clock may.
#pragma once

#include <cstdint>

#include "tests/sim/scheduler.h"

namespace bank::sim {

class SkewedClock {
 public:
  // Each branch's zero point lies elsewhere: times of two branches must never be compared.
  SkewedClock(int64_t zero_us, int64_t rate_ppm) : local_us_(zero_us), rate_ppm_(rate_ppm) {}

  int64_t LocalMs(SimTime now) const { return LocalUs(now) / 1000; }
  int64_t LocalNs(SimTime now) const { return LocalUs(now) * 1000; }

  // The earliest time at which LocalMs() is at least `local_ms`, unless the clock is changed.
  SimTime When(int64_t local_ms, SimTime now) const {
    const int64_t missing_us = local_ms * 1000 - LocalUs(now);
    if (missing_us <= 0) return now;
    SimTime when = now + missing_us * 1'000'000 / rate_ppm_;
    while (LocalMs(when) < local_ms) ++when;
    return when;
  }

  void SetRate(SimTime now, int64_t rate_ppm) {
    local_us_ = LocalUs(now);
    since_ = now;
    rate_ppm_ = rate_ppm;
  }
  void JumpAhead(SimTime now, int64_t by_us) {
    local_us_ = LocalUs(now) + by_us;
    since_ = now;
  }

 private:
  int64_t LocalUs(SimTime now) const { return local_us_ + (now - since_) * rate_ppm_ / 1'000'000; }

  int64_t local_us_;  // at `since_`
  SimTime since_ = 0;
  int64_t rate_ppm_;  // local microseconds per million simulated ones; > 0
};

}  // namespace bank::sim
