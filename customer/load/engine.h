// Engine: the one thread of a load. Runs completions and timers, hands out operations, counts.
//
// Everything of a load belongs to this thread: no locks. Completions come from one completion
// queue, whose tags are Event pointers.
#pragma once

#include <grpcpp/completion_queue.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>

#include "common/clock.h"
#include "common/latency_histogram.h"
#include "customer/client/retry_policy.h"
#include "customer/history/event.h"
#include "customer/history/recorder.h"
#include "customer/load/workload.h"

namespace bank::load {

// Called when what it stands for is over. Outlives it.
class Event {
 public:
  virtual ~Event() = default;
  virtual void On(bool ok) = 0;
};

struct Tally {
  std::map<std::string, uint64_t, std::less<>> results;  // by name; "not_applied", "unknown" too
  LatencyCounts latency;
  int64_t latency_ns_max = 0;
  uint64_t retries = 0;
  int64_t elapsed_ns = 0;

  uint64_t operations() const { return latency.count(); }
  // The latency that the given share of all does not exceed, 0 < share <= 1; 0 if there are none.
  int64_t QuantileNs(double share) const {
    return std::min(latency_ns_max, latency.QuantileNs(share).value_or(0));
  }
};

// One operation under way.
struct Pending {
  history::Operation operation;
  history::Identity identity;
};

class Engine {
 public:
  struct Options {
    client::Patience patience = {};
    history::Recorder* recorder = nullptr;  // borrowed; may be null
    int64_t duration_ns_max = INT64_MAX;
    uint64_t seed = 1;
  };
  // `stop` may be set by a signal handler: no new operations then.
  Engine(const Clock& clock, const Options& options, const std::atomic<bool>& stop);
  ~Engine();

  // Runs completions and timers until no operation is under way and nothing new may begin. The
  // caller has the workers take their first operations from `source` in `begin`.
  template <class Begin>
  Tally Run(Source& source, const Begin& begin) {
    StartRun(source);
    begin();
    return FinishRun();
  }

  // --- For the workers
  // ----------------------------------------------------------------------------- The next
  // operation, now under way; none: the run is coming to its end.
  std::optional<history::Operation> Take();
  // Calls event.On(true) after `ns`.
  void After(int64_t ns, Event& event);
  void Invoked(const Pending& pending, BranchId branch);
  // The operation that began at `start_ns` is settled.
  void Settled(const Pending& pending, const history::Completion& completion, BranchId branch,
               int64_t start_ns);
  void CountRetry() { ++tally_.retries; }

  grpc::CompletionQueue& queue() { return queue_; }
  int64_t NowNs() const { return clock_.NowNs(); }
  uint64_t Random() { return random_(); }
  const client::Patience& patience() const { return options_.patience; }

 private:
  void StartRun(Source& source);
  Tally FinishRun();
  void RunTimers();

  const Clock& clock_;
  const Options options_;
  const std::atomic<bool>& stop_;
  grpc::CompletionQueue queue_;
  std::mt19937_64 random_;
  std::multimap<int64_t, Event*> timers_;  // by due time
  Source* source_ = nullptr;
  bool exhausted_ = false;
  uint64_t under_way_ = 0;
  int64_t start_ns_ = 0;
  int64_t last_settled_ns_ = 0;
  Tally tally_;
};

}  // namespace bank::load
