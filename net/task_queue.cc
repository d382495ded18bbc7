#include "net/task_queue.h"

#include <utility>

#include "absl/time/time.h"

namespace bank::net {

TaskQueue::TaskQueue(const Clock& clock) : clock_(clock), thread_([this] { Run(); }) {}

TaskQueue::~TaskQueue() { Stop(); }

void TaskQueue::Post(Task task) {
  absl::MutexLock lock(&mutex_);
  if (!stopping_) tasks_.push_back(std::move(task));
}

void TaskQueue::PostAt(int64_t at_ns, Task task) {
  absl::MutexLock lock(&mutex_);
  if (stopping_) return;
  timers_changed_ = timers_changed_ || timers_.empty() || at_ns < timers_.begin()->first;
  timers_.emplace(at_ns, std::move(task));
}

void TaskQueue::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

bool TaskQueue::Due() const { return stopping_ || timers_changed_ || !tasks_.empty(); }

void TaskQueue::Run() {
  std::deque<Task> tasks;
  for (;;) {
    {
      absl::MutexLock lock(&mutex_);
      if (!Due()) {
        const int64_t wait_ns =
            timers_.empty() ? INT64_MAX : timers_.begin()->first - clock_.NowNs();
        if (wait_ns > 0) {
          mutex_.AwaitWithTimeout(absl::Condition(this, &TaskQueue::Due),
                                  absl::Nanoseconds(wait_ns));
        }
      }
      timers_changed_ = false;
      tasks.swap(tasks_);
      if (!stopping_) {
        const int64_t now_ns = clock_.NowNs();
        while (!timers_.empty() && timers_.begin()->first <= now_ns) {
          tasks.push_back(std::move(timers_.begin()->second));
          timers_.erase(timers_.begin());
        }
      } else if (tasks.empty()) {
        timers_.clear();
        return;
      }
    }
    for (Task& task : tasks) task();
    tasks.clear();
  }
}

}  // namespace bank::net
