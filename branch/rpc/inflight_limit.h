// InflightLimit: counts the calls in flight, bounds them, and is closed before the branch has
// started and from its stop on.
//
// Thread-safe. Enter() and Leave() are one atomic operation each: every call of a customer passes.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace bank::rpc {

class InflightLimit {
 public:
  enum class Entry { kEntered, kBusy, kClosed };

  enum class Door { kOpen, kClosed };

  // `open_max`: calls, or operations in batches, in flight at a time (inclusive).
  explicit InflightLimit(int64_t open_max, Door door = Door::kOpen)
      : open_max_(open_max), closed_(door == Door::kClosed) {}

  // kEntered: Leave(weight) must follow. A batch weighs as many as it has operations; one batch is
  // always let in when nothing else is in flight.
  Entry Enter(int64_t weight = 1) {
    const int64_t before = open_.fetch_add(weight);
    if (closed_.load()) {
      Leave(weight);
      return Entry::kClosed;
    }
    if (before != 0 && before + weight > open_max_) {
      Leave(weight);
      return Entry::kBusy;
    }
    return Entry::kEntered;
  }

  void Leave(int64_t weight = 1) {
    if (open_.fetch_sub(weight) != weight || !closed_.load()) return;
    std::lock_guard lock(mutex_);  // between the waiter's look and its sleep, never in between
    empty_.notify_all();
  }

  // Once, before Close().
  void Open() { closed_.store(false); }
  // From now on nobody enters.
  void Close() { closed_.store(true); }
  bool closed() const { return closed_.load(); }

  // After Close(): true once nobody is inside, false if that took longer.
  bool AwaitEmpty(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    return empty_.wait_for(lock, timeout, [&] { return open_.load() == 0; });
  }

  int64_t open() const { return open_.load(std::memory_order_relaxed); }

 private:
  const int64_t open_max_;
  std::atomic<int64_t> open_{0};
  std::atomic<bool> closed_;
  std::mutex mutex_;
  std::condition_variable empty_;
};

}  // namespace bank::rpc
