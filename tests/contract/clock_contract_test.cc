// Goal: every clock that the bank's code may be given is steady: it never goes back, and its
// milliseconds are its nanoseconds'. Method: one suite on the real clock, the tests' and the
// simulation's, whose branches see too fast, too slow and jumping time.
#include <gtest/gtest.h>

#include "tests/sim/client_frontend.h"
#include "tests/support/test_clock.h"

namespace bank {
namespace {

struct Real {
  SteadyClock clock;
  void Pass() {
    const int64_t before = clock.NowNs();
    while (clock.NowNs() == before) {
    }
  }
};
struct Tests {
  TestClock clock;
  void Pass() { clock.now_ns += 1'234'567; }
};
// Each step is 10 ms of the simulation; rates change, and the clock jumps ahead.
struct Simulated {
  sim::Scheduler scheduler;
  sim::SkewedClock skewed{/*zero_us=*/5'000'000, /*rate_ppm=*/1'000'000};
  sim::ProcessClock clock{scheduler, skewed};
  int64_t passes = 0;
  void Pass() {
    scheduler.RunOne(scheduler.now() + 10 * sim::kMillisecond);
    ++passes;
    if (passes % 3 == 0) skewed.SetRate(scheduler.now(), passes % 2 == 0 ? 100'000 : 1'400'000);
    if (passes % 7 == 0) skewed.JumpAhead(scheduler.now(), 2'500'000);
  }
};

template <class Kind>
class ClockContract : public ::testing::Test {
 protected:
  Kind kind_;
};
using Kinds = ::testing::Types<Real, Tests, Simulated>;
TYPED_TEST_SUITE(ClockContract, Kinds);

TYPED_TEST(ClockContract, NeverGoesBackAndPasses) {
  const Clock& clock = this->kind_.clock;
  int64_t before = clock.NowNs();
  EXPECT_GT(before, 0);
  for (int i = 0; i < 1000; ++i) {
    const int64_t again = clock.NowNs();
    ASSERT_GE(again, before);
    this->kind_.Pass();
    ASSERT_GT(clock.NowNs(), again);
    before = clock.NowNs();
  }
}

TYPED_TEST(ClockContract, MillisecondsAreThoseOfTheNanoseconds) {
  const Clock& clock = this->kind_.clock;
  for (int i = 0; i < 100; ++i) {
    const int64_t before_ns = clock.NowNs();
    const int64_t now_ms = clock.NowMs();
    EXPECT_GE(now_ms, before_ns / kNsPerMs);
    EXPECT_LE(now_ms, clock.NowNs() / kNsPerMs);
    this->kind_.Pass();
  }
}

}  // namespace
}  // namespace bank
