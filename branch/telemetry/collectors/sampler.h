// Sampler: the thread that asks all collectors at equal intervals and makes a numbered batch of
// what they say, with the branch's status. (Events go their own way: journal.h.)
//
// Instants lie on a steady grid: a late one is late, those it missed are left out, and none is made
// up for. When the interval is long, a sample batch without samples and with sequence 0 goes out
// every `sign_of_life_ms` in between: the status is new, and whoever watches knows that the branch
// lives.
//
// Construction, Start(), Stop(), destruction. SetInterval() and SetCollector() are thread-safe and
// do not block. The sink is called on the sampler's thread and must not block.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "branch/telemetry/collectors/collector.h"
#include "branch/telemetry/collectors/schedule.h"
#include "branch/telemetry/process_metrics.h"
#include "branch/telemetry/sample_batch.h"
#include "common/clock.h"

namespace bank::telemetry {

struct SamplerOptions {
  static constexpr int64_t kIntervalMsMin = 100;
  static constexpr int64_t kIntervalMsMax = 3'600'000;

  AgentPtr agent;
  int64_t interval_ms = 1000;
  int64_t heartbeat_ms = 1000;
};

class Sampler {
 public:
  using Sink = std::function<void(SampleBatchPtr)>;

  // `status`: nullptr if the agent is no branch. `unix_ns` is the wall clock. The steady one must
  // outlive the sampler.
  Sampler(SamplerOptions options, std::vector<std::unique_ptr<Collector>> collectors,
          StatusSource status, const Clock& clock, std::function<int64_t()> unix_ns, Sink sink);
  // Stops.
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  // The first batch is made at once.
  void Start();
  // Idempotent; not from the sink.
  void Stop();

  // InvalidArgument: not within the bounds of SamplerOptions. Counts from the last instant on.
  absl::Status SetInterval(int64_t interval_ms);
  int64_t interval_ms() const;

  enum class Switch { kOff, kOn };
  // NotFound: there is none of that name. One that is switched on again begins anew.
  absl::Status SetCollector(std::string_view name, Switch to);

 private:
  struct Source {
    std::unique_ptr<Collector> collector;  // of the sampler's thread
    bool on = true;                        // guarded by mutex_
    bool forget = false;                   // guarded by mutex_
  };

  void Run();
  bool Changed() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || changed_; }
  void Sample();
  std::shared_ptr<SampleBatch> NewBatch();
  void Publish(std::shared_ptr<SampleBatch> batch);

  const SamplerOptions options_;
  const StatusSource status_;
  const Clock& clock_;
  const std::function<int64_t()> unix_ns_;
  const Sink sink_;

  // Of the sampler's thread.
  uint64_t last_sequence_ = 0;
  size_t samples_max_ = 0;
  int64_t published_ns_ = 0;

  mutable absl::Mutex mutex_;
  std::vector<Source> sources_;  // the vector itself never changes
  Schedule schedule_ ABSL_GUARDED_BY(mutex_);
  bool changed_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace bank::telemetry
