// Budget: how much CPU time a judgement may take, from the first line that is read to the smallest
// counter-example. CPU time of the thread that asks, so that a verdict does not depend on what else
// the machine does. Plain value; every copy ends at the same moment.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>

namespace bank::checker {

class Budget {
 public:
  using Duration = std::chrono::nanoseconds;

  // Over from the beginning.
  Budget() : Budget(Duration::zero()) {}
  // From now on.
  explicit Budget(Duration time)
      : end_(time <= Duration::zero() ? Duration::zero() : Used() + time) {}
  static Budget OfMs(int64_t ms) {
    return Budget(std::chrono::milliseconds(std::min<int64_t>(ms, kMsMax)));
  }

  bool IsOver() const { return end_ == Duration::zero() || Used() >= end_; }
  Duration Left() const { return IsOver() ? Duration::zero() : end_ - Used(); }
  // What a part of the work may take of what is left.
  Budget AtMost(Duration most) const { return Budget(std::min(Left(), most)); }
  Budget Share(int parts, int of) const { return Budget(Left() / of * parts); }

 private:
  static constexpr int64_t kMsMax = 1'000'000'000'000;

  static Duration Used() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + Duration(now.tv_nsec);
  }

  Duration end_;  // of the thread's CPU time; zero: over
};

}  // namespace bank::checker
