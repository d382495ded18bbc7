// TaskQueue: the one thread of a branch's monitoring, and its timers.
//
// All that pushes, follows and serves metrics runs here as short tasks, one after the other: gRPC's
// reactions only post, so they are quick, and what a task touches needs no lock. Nothing here may
// block. The queue is bounded by its posters: each has one task outstanding at a time (a stream
// reads on only after the task for what it read has run).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"

namespace bank::net {

class TaskQueue {
 public:
  using Task = absl::AnyInvocable<void()>;

  explicit TaskQueue(const Clock& clock);
  // Stops.
  ~TaskQueue();
  TaskQueue(const TaskQueue&) = delete;
  TaskQueue& operator=(const TaskQueue&) = delete;

  // Runs after all that was posted before. Any thread.
  void Post(Task task);
  // Runs once, not before that time of the steady clock. Any thread.
  void PostAt(int64_t at_ns, Task task);

  // Runs what was posted, drops what waits for its time, and ends the thread; later tasks are
  // dropped. Whoever posts must have come to its end before. Idempotent; not from a task.
  void Stop();

  const Clock& clock() const { return clock_; }

 private:
  void Run();
  bool Due() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  absl::Mutex mutex_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  std::multimap<int64_t, Task> timers_ ABSL_GUARDED_BY(mutex_);
  bool timers_changed_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace bank::net
