// A clock that stands where the test puts it.
#pragma once

#include "common/clock.h"

namespace bank {

class TestClock final : public Clock {
 public:
  explicit TestClock(int64_t start_ns = 1'000 * kNsPerS) : now_ns(start_ns) {}
  int64_t NowNs() const override { return now_ns; }

  int64_t now_ns;
};

}  // namespace bank
