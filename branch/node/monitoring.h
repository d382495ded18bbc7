// Monitoring: the pieces with which a branch watches itself and its bank, wired.
//
//   sampler -> uplink -> metric store <-> the leader's metric store (uplink)     metric store ->
//   readers (streams)
//                        metric store -> a foreign server (metric link)
//   what happens here -> journal -> metric store
//
// Made before the replicator, which tells it of changes; Start() once that runs. The end, in this
// order: EndStreams(), the server's shutdown, Stop(), destruction. All of it is bounded.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "branch/replication/replicator.h"
#include "branch/rpc/connection_tracker.h"
#include "branch/telemetry/collectors/sampler.h"
#include "branch/telemetry/journal.h"
#include "branch/telemetry/metric_store.h"
#include "branch/telemetry/process_metrics.h"
#include "branch/telemetry/stream/leader_tracker.h"
#include "branch/telemetry/stream/metric_streams.h"
#include "branch/telemetry/stream/remote_write.h"
#include "branch/telemetry/stream/telemetry_sync.h"
#include "common/clock.h"
#include "common/ids.h"
#include "net/security.h"
#include "net/task_queue.h"

namespace bank::node {

struct MonitoringOptions {
  uint64_t bank = 0;
  BranchId self;
  std::map<BranchId, std::string> addresses;  // of the other branches
  net::TlsFiles tls;
  int64_t sampling_interval_ms = 1000;
  size_t history_bytes_max = telemetry::MetricStoreOptions().bytes_max;
  std::string monitor;  // host:port of a foreign server of monitor.proto; "": none
};

class Monitoring {
 public:
  // The clock must outlive it; `status` and `metrics` are called between Start() and Stop().
  Monitoring(const MonitoringOptions& options, const Clock& clock,
             const telemetry::StatusSource& status, telemetry::ProcessMetricsSource metrics);
  // Stops.
  ~Monitoring();

  // On the replicator's thread: quick, and nothing of it waits.
  void OnStatus(const replication::ReplicatorStatus& status);
  // Any thread.
  void NoteReady(bool serves);

  // InvalidArgument, PermissionDenied: the foreign server's address must not be dialled.
  absl::Status Start();
  void EndStreams();
  // Idempotent.
  void Stop();

  const telemetry::AgentPtr& self() const { return journal_.self(); }
  telemetry::MetricStore& store() { return store_; }
  telemetry::Journal& journal() { return journal_; }
  net::TaskQueue& task_queue() { return task_queue_; }
  telemetry::LeaderTracker& leader_tracker() { return leader_tracker_; }
  telemetry::Sampler& sampler() { return sampler_; }
  rpc::ConnectionTracker& connection_tracker() { return connection_tracker_; }
  telemetry::MetricStreams& streams() { return streams_; }

 private:
  void SweepConnections();
  // From a thread that must not wait for the metric store.
  void NoteLater(telemetry::EventKind kind, std::string text);

  const std::string foreign_;
  const net::TlsFiles tls_;
  net::TaskQueue task_queue_;
  telemetry::MetricStore store_;
  telemetry::Journal journal_;
  telemetry::LeaderTracker leader_tracker_;
  telemetry::TelemetrySync telemetry_sync_;
  std::unique_ptr<telemetry::RemoteWrite> to_foreign_;  // if there is a foreign server
  telemetry::MetricStreams streams_;
  rpc::ConnectionTracker connection_tracker_;
  telemetry::Sampler sampler_;
  replication::ReplicatorStatus before_;  // of the replicator's thread
  bool stopped_ = false;
};

}  // namespace bank::node
