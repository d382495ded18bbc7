// MetricStreams: PushMetrics, StreamMetrics and StreamEvents of a branch.
//
// Agents' batches go into the metric store if this branch leads; otherwise their stream is passed
// on to the leader, and ends with UNAVAILABLE when there is none, or no longer the same. Readers
// are served from this branch's own metric store, whoever leads.
//
// A reader's stream holds a place in the metric store and one message; it is woken when there is
// something and has nothing to write. So a reader that does not read costs nothing, and nobody
// waits for it.
//
// Threads: gRPC's reactions post to the task queue; all state is the task queue's. Order of the
// end, on any other thread: Shutdown(), the server's shutdown, AwaitEnded(), the task queue's stop,
// destruction.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "bank/v1/monitor.grpc.pb.h"
#include "branch/telemetry/metric_store.h"
#include "branch/telemetry/stream/leader_tracker.h"
#include "net/task_queue.h"
#include "net/wait_group.h"

namespace bank::telemetry {

struct MetricStreamsOptions {
  uint64_t bank = 0;
  size_t readers_max = 256;
  size_t agents_max = 256;              // streams of agents, those that are passed on too
  int64_t lag_max_ns = 10'000'000'000;  // of a reader of samples: beyond it, the newest
};

class MetricStreams {
 public:
  // All must outlive the server.
  MetricStreams(MetricStreamsOptions options, MetricStore& store, LeaderTracker& leader_tracker,
                net::TaskQueue& task_queue);

  grpc::ServerReadReactor<v1::MetricPush>* PushMetrics(grpc::CallbackServerContext* call);
  grpc::ServerWriteReactor<v1::MetricUpdate>* StreamMetrics(
      const v1::StreamMetricsRequest& request);
  grpc::ServerWriteReactor<v1::Event>* StreamEvents(const v1::StreamEventsRequest& request);

  // Ends all streams with UNAVAILABLE, and later ones at once.
  void Shutdown();
  // After the server's own shutdown: returns when the last stream is gone.
  void AwaitEnded();

 private:
  class Call;  // any of the streams
  class PushCall;
  class Relay;
  template <class Message>
  class ReaderCall;
  class MetricsCall;
  class EventsCall;

  // A reader's stream has something to write, soon: several wakes are one.
  void Wake(Call* call);
  void Flush();
  void Tick();

  const MetricStreamsOptions options_;
  MetricStore& store_;
  LeaderTracker& leader_tracker_;
  net::TaskQueue& task_queue_;
  net::WaitGroup wait_group_;

  // Of the task queue.
  std::set<Call*> pushes_;
  std::set<Call*> readers_;
  std::map<std::string, PushCall*> by_agent_;  // those that this branch takes in itself
  std::set<Call*> awake_;
  bool flush_due_ = false;
  bool stopping_ = false;
};

}  // namespace bank::telemetry
