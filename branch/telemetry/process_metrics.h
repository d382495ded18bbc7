// What a branch counts about its own work, as one value: for the bank's collector, the console and
// the histograms of a scrape.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "branch/replication/metrics.h"
#include "branch/replication/replicator.h"
#include "common/clock.h"
#include "common/latency_histogram.h"

namespace bank::telemetry {

// Customers' operations, from their arrival here until their answer, whatever it is; counted by
// branch/rpc. Each operation of a batch took as long as the batch. Thread-safe.
struct OperationMetrics {
  LatencyHistogram reads;
  LatencyHistogram writes;
};

// All since the start of the process.
struct ProcessMetrics {
  LatencyCounts reads;
  LatencyCounts writes;
  LatencyCounts syncs;  // of the log
  uint64_t elections = 0;
  int64_t operations_open = 0;   // in the gate
  int64_t disk_queue_depth = 0;  // jobs
  int64_t proposals_open = 0;
  uint64_t own_key_conflicts = 0;  // writes that found their key, a branch's own, used already
  std::optional<int64_t> snapshot_age_ns;  // nothing: no snapshot since the start
};
// Thread-safe; must not block.
using ProcessMetricsSource = std::function<ProcessMetrics()>;
using StatusSource = std::function<replication::ReplicatorStatus()>;

ProcessMetrics ReadProcessMetrics(const OperationMetrics& operations,
                                  const replication::ReplicationMetrics& replication,
                                  int64_t operations_open, const Clock& clock);

}  // namespace bank::telemetry
