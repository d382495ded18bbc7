// Waiters: callers that wait until something that only grows has reached their key.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "branch/replication/driver/completions.h"
#include "branch/replication/replicator.h"

namespace bank::replication {

inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

template <class Key>
class Waiters {
 public:
  void Add(Key key, int64_t deadline_ms, Replicator::ReadCallback done) {
    waiting_.emplace(key, Waiter{deadline_ms, std::move(done)});
    if (deadline_ms < deadline_ms_) deadline_ms_ = deadline_ms;
  }

  void Release(Key reached, Completions& due) {
    while (!waiting_.empty() && waiting_.begin()->first <= reached) {
      due.AddRead(std::move(waiting_.begin()->second.done), absl::OkStatus());
      waiting_.erase(waiting_.begin());
    }
    if (waiting_.empty()) deadline_ms_ = kNever;
  }

  void Expire(int64_t now_ms, Completions& due) {
    if (now_ms < deadline_ms_) return;
    deadline_ms_ = kNever;
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      if (it->second.deadline_ms <= now_ms) {
        due.AddRead(std::move(it->second.done),
                    absl::DeadlineExceededError("this branch did not get that far in time"));
        it = waiting_.erase(it);
      } else {
        deadline_ms_ = std::min(deadline_ms_, it->second.deadline_ms);
        ++it;
      }
    }
  }

  void Fail(const std::string& reason, Completions& due) {
    for (auto& [key, waiter] : waiting_) {
      due.AddRead(std::move(waiter.done), absl::UnavailableError(reason));
    }
    waiting_.clear();
    deadline_ms_ = kNever;
  }

  bool empty() const { return waiting_.empty(); }

  // No later than the first deadline; it may be earlier.
  int64_t deadline_ms() const { return deadline_ms_; }

 private:
  struct Waiter {
    int64_t deadline_ms;
    Replicator::ReadCallback done;
  };

  std::multimap<Key, Waiter> waiting_;
  int64_t deadline_ms_ = kNever;
};

}  // namespace bank::replication
