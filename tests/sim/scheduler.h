// Scheduler: simulated time and everything that is going to happen in it.
//
// One thread. Tasks run in order of their time, and in the order of their making at equal times, so
// that a run is a function of its seed. Time is in microseconds since the run began.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace bank::sim {

using SimTime = int64_t;  // microseconds
inline constexpr SimTime kMillisecond = 1000;
inline constexpr SimTime kSecond = 1'000'000;

class Scheduler {
 public:
  using Task = absl::AnyInvocable<void()>;

  SimTime now() const { return now_; }
  uint64_t steps() const { return steps_; }

  void At(SimTime when, Task task) {
    heap_.push_back(Event{std::max(when, now_), made_++, std::move(task)});
    std::push_heap(heap_.begin(), heap_.end(), Later);
  }
  void After(SimTime delay, Task task) { At(now_ + delay, std::move(task)); }

  // Runs the next task unless it is due after `until`; then only the time moves, to `until`.
  bool RunOne(SimTime until) {
    if (heap_.empty() || heap_.front().when > until) {
      now_ = std::max(now_, until);
      return false;
    }
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    Event event = std::move(heap_.back());
    heap_.pop_back();
    now_ = event.when;
    ++steps_;
    event.task();
    return true;
  }

 private:
  struct Event {
    SimTime when;
    uint64_t number;
    Task task;
  };
  static bool Later(const Event& a, const Event& b) {
    return std::pair(a.when, a.number) > std::pair(b.when, b.number);
  }

  SimTime now_ = 0;
  uint64_t made_ = 0;
  uint64_t steps_ = 0;
  std::vector<Event> heap_;
};

}  // namespace bank::sim
