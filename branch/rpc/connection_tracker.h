// ConnectionTracker: which customers are connected, told as they come and go.
//
// gRPC tells nobody of connections, so a customer that sends single calls is there from the first
// one until it has been silent for 30 s; one that streams, while a stream is open. Cheap: when many
// calls come, only some are looked at. Bounded: beyond `visitors_max` nobody is remembered.
// Thread-safe, but Sweep(), which one thread calls a few times a second and which tells.
#pragma once

#include <grpcpp/server_context.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"

namespace bank::rpc {

class ConnectionTracker {
 public:
  struct Options {
    size_t visitors_max = 4096;
    int64_t silence_ns = 30'000'000'000;
    // Between two sweeps, so many calls are looked at one by one; of more only every 64th.
    uint32_t calls_each = 250;
    size_t told_each = 5;  // in one sweep; more are told together
  };
  // `tell` gets one line. The clock must outlive it.
  ConnectionTracker(Options options, const Clock& clock, std::function<void(std::string)> tell);

  void Called(const grpc::CallbackServerContext& call) {
    const uint32_t n = calls_.fetch_add(1, std::memory_order_relaxed);
    if (n < options_.calls_each || n % 64 == 0) NoteCall(call.peer());
  }
  void NoteCall(std::string_view peer);
  void NoteOpened(std::string_view peer);
  void NoteClosed(std::string_view peer);

  void Sweep();

 private:
  struct Visitor {
    uint32_t streams = 0;
    int64_t called_ns = 0;  // 0: never a single call
  };
  // nullptr: there is no room.
  Visitor* Find(std::string_view peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(const std::vector<std::string>& peers, std::string_view what) const;

  const Options options_;
  const Clock& clock_;
  const std::function<void(std::string)> tell_;
  std::atomic<uint32_t> calls_{0};

  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Visitor> visitors_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> came_ ABSL_GUARDED_BY(mutex_);  // since the last sweep
};

}  // namespace bank::rpc
