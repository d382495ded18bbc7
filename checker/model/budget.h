// Budget: how much CPU time a judgement may take, from the first line that is read to the smallest
// counter-example. By a clock of the CPU time of the thread that judges, so that a verdict does not
// depend on what else the machine does. Plain value; every copy ends at the same moment.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "common/clock.h"

namespace bank::checker {

class Budget {
 public:
  using Duration = std::chrono::nanoseconds;

  // Over from the beginning.
  Budget() = default;
  // From now on by `cpu_clock`, which must outlive all copies.
  Budget(const Clock& cpu_clock, Duration time)
      : clock_(time <= Duration::zero() ? nullptr : &cpu_clock),
        end_ns_(cpu_clock.NowNs() + time.count()) {}
  static Budget OfMs(const Clock& cpu_clock, int64_t ms) {
    return {cpu_clock, std::chrono::milliseconds(std::min<int64_t>(ms, kMsMax))};
  }

  bool IsOver() const { return clock_ == nullptr || clock_->NowNs() >= end_ns_; }
  Duration Left() const {
    return clock_ == nullptr ? Duration::zero()
                             : std::max(Duration(end_ns_ - clock_->NowNs()), Duration::zero());
  }
  // What a part of the work may take of what is left.
  Budget AtMost(Duration most) const { return Part(std::min(Left(), most)); }
  Budget Share(int parts, int of) const { return Part(Left() / of * parts); }

 private:
  static constexpr int64_t kMsMax = 1'000'000'000'000;

  Budget Part(Duration time) const { return clock_ == nullptr ? Budget() : Budget(*clock_, time); }

  const Clock* clock_ = nullptr;  // null: over
  int64_t end_ns_ = 0;
};

}  // namespace bank::checker
