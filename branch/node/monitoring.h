// Monitoring: the pieces with which a branch watches itself and its bank, wired.
//
//   sampler -> uplink -> feed <-> the master's feed (uplink)     feed -> readers (streams)
//                        feed -> a foreign server (metric link)
//   what happens here -> journal -> feed
//
// Made before the replicator, which tells it of changes; Start() once that runs. The end, in this
// order: EndStreams(), the server's shutdown, Stop(), destruction. All of it is bounded.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "branch/agent/masters.h"
#include "branch/agent/metric_link.h"
#include "branch/agent/uplink.h"
#include "branch/agent/worker.h"
#include "branch/monitor/feed.h"
#include "branch/monitor/journal.h"
#include "branch/monitor/process_metrics.h"
#include "branch/monitor/sampler.h"
#include "branch/replication/replicator.h"
#include "branch/rpc/metric_streams.h"
#include "branch/rpc/visitors.h"
#include "common/clock.h"
#include "common/ids.h"
#include "net/security.h"

namespace bank::node {

struct MonitoringOptions {
  uint64_t bank = 0;
  BranchId self;
  std::map<BranchId, std::string> addresses;  // of the other branches
  net::TlsFiles tls;
  int64_t sampling_interval_ms = 1000;
  size_t history_bytes_max = monitor::FeedOptions().bytes_max;
  std::string monitor;  // host:port of a foreign server of monitor.proto; "": none
};

class Monitoring {
 public:
  // The clock must outlive it; `status` and `metrics` are called between Start() and Stop().
  Monitoring(const MonitoringOptions& options, const Clock& clock,
             const monitor::StatusSource& status, monitor::ProcessMetricsSource metrics);
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

  const monitor::AgentPtr& self() const { return journal_.self(); }
  monitor::Feed& feed() { return feed_; }
  monitor::Journal& journal() { return journal_; }
  agent::Worker& worker() { return worker_; }
  agent::Masters& masters() { return masters_; }
  monitor::Sampler& sampler() { return sampler_; }
  rpc::Visitors& visitors() { return visitors_; }
  rpc::MetricStreams& streams() { return streams_; }

 private:
  void SweepVisitors();
  // From a thread that must not wait for the feed.
  void NoteLater(monitor::EventKind kind, std::string text);

  const std::string foreign_;
  const net::TlsFiles tls_;
  agent::Worker worker_;
  monitor::Feed feed_;
  monitor::Journal journal_;
  agent::Masters masters_;
  agent::Uplink uplink_;
  std::unique_ptr<agent::MetricLink> to_foreign_;  // if there is a foreign server
  rpc::MetricStreams streams_;
  rpc::Visitors visitors_;
  monitor::Sampler sampler_;
  replication::ReplicatorStatus before_;  // of the replicator's thread
  bool stopped_ = false;
};

}  // namespace bank::node
