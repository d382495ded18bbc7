// Schedule: instants at equal distances. Whoever comes late misses instants; they are not made up
// for, and the next ones stay where they were. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace bank::telemetry {

class Schedule {
 public:
  // The first instant is `start_ns`. interval_ns > 0.
  Schedule(int64_t start_ns, int64_t interval_ns) : next_ns_(start_ns), interval_ns_(interval_ns) {}

  int64_t next_ns() const { return next_ns_; }
  int64_t interval_ns() const { return interval_ns_; }

  // The instant that was due has been served: on to the first one after now.
  void Advance(int64_t now_ns) {
    const int64_t late_ns = std::max<int64_t>(0, now_ns - next_ns_);
    next_ns_ += (late_ns / interval_ns_ + 1) * interval_ns_;
  }

  // From the last instant on, and not in the past.
  void SetInterval(int64_t now_ns, int64_t interval_ns) {
    next_ns_ = std::max(now_ns, next_ns_ - interval_ns_ + interval_ns);
    interval_ns_ = interval_ns;
  }

 private:
  int64_t next_ns_;
  int64_t interval_ns_;
};

}  // namespace bank::telemetry
