// FrameRing: the newest of this branch's own frames, so that a reader whose connection broke is
// given what it missed, or told how much of it is gone.
//
// Bounded by age and by bytes; the oldest go first. Thread-safe; nothing blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "branch/monitor/frame.h"

namespace bank::monitor {

struct RingOptions {
  int64_t history_ns = int64_t{3600} * 1'000'000'000;
  size_t bytes_max = size_t{32} << 20;
};

// What a frame holds in memory, roughly; series are shared and not counted.
size_t ApproximateBytes(const Frame& frame);

class FrameRing {
 public:
  explicit FrameRing(RingOptions options) : options_(options) {}

  // A numbered frame; numbers follow each other. `now_ns`: steady clock.
  void Push(FramePtr frame, int64_t now_ns);

  struct Portion {
    uint64_t lost = 0;             // right after `sequence`: frames that are gone
    std::vector<FramePtr> frames;  // those that follow, oldest first
  };
  // The frames after `sequence`, `frames_max` at most. One that is newer than all is answered as if
  // nothing were known: the reader mistakes this run of the branch for another.
  Portion After(uint64_t sequence, size_t frames_max) const;

  uint64_t last_sequence() const;  // 0: none yet

 private:
  struct Item {
    FramePtr frame;
    int64_t pushed_ns;
    size_t bytes;
  };

  const RingOptions options_;
  mutable absl::Mutex mutex_;
  std::deque<Item> items_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bank::monitor
