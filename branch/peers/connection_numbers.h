// ConnectionNumbers: the numbers that one process gives to its streams (hello.h).
//
// A receiver takes a sender's messages from its newest stream alone. A process that it has not seen
// before is newer than all those it has seen, and whoever was followed by another is never heard
// again under that incarnation. A process that was followed and lives (another one introduced
// itself under the same branch's number, and is gone or will be) therefore draws a new incarnation
// when it learns of that, and is heard again.
// That nothing of an older stream arrives after a newer one began still holds: the process's
// earlier streams carry its earlier incarnation, which that receiver goes on refusing, and at any
// other receiver they are followed by its next stream as ever.
//
// Thread-safe.
#pragma once

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace bank::peers {

class ConnectionNumbers {
 public:
  // With a random incarnation: a restarted branch is never taken for the old one.
  ConnectionNumbers();
  // For tests: the first number is this one, if it is a connection number.
  explicit ConnectionNumbers(uint64_t first) : next_(first) {}

  // A connection number, greater than those before it in the same incarnation. When the counter has
  // run out, the process goes on under another incarnation.
  uint64_t Next();

  // A receiver ended or refused the stream of this number, and said that it has seen a newer one.
  // Draws a new incarnation, unless that has been done since.
  void OnFollowed(uint64_t connection);

 private:
  absl::Mutex mutex_;
  uint64_t next_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bank::peers
