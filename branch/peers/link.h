// What the links to one peer share, and how their streams' lives are counted.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "bank/v1/cluster.grpc.pb.h"
#include "common/clock.h"
#include "common/ids.h"

namespace bank::peers {

// Counts living reactors, so that a shutdown can wait for the last OnDone.
class Living {
 public:
  void Add() {
    absl::MutexLock lock(&mutex_);
    ++count_;
  }
  void Remove() {
    absl::MutexLock lock(&mutex_);
    --count_;
  }
  void AwaitNone() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](int* count) { return *count == 0; }, &count_));
  }

 private:
  absl::Mutex mutex_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

// One peer as its links see it. Immutable but for the counters; outlives every reactor.
struct LinkContext {
  uint64_t bank = 0;
  BranchId self;
  BranchId peer;
  const Clock* clock = nullptr;
  std::unique_ptr<v1::Cluster::Stub> stub;
  std::atomic<uint64_t>* next_connection = nullptr;
  Living* living = nullptr;
};

// After a stream broke, the peer is left alone this long. The channel below has its own backoff,
// from 100 ms to 1 s (net/channel.h).
inline constexpr int64_t kRedialNs = 100'000'000;

}  // namespace bank::peers
