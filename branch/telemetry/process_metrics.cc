#include "branch/telemetry/process_metrics.h"

namespace bank::telemetry {

ProcessMetrics ReadProcessMetrics(const OperationMetrics& operations,
                                  const replication::ReplicationMetrics& replication,
                                  int64_t operations_open, const Clock& clock) {
  ProcessMetrics metrics{
      .reads = operations.reads.Read(),
      .writes = operations.writes.Read(),
      .syncs = replication.sync.Read(),
      .elections = replication.elections.load(std::memory_order_relaxed),
      .operations_open = operations_open,
      .disk_queue_depth = replication.disk_queue_depth.load(std::memory_order_relaxed),
      .proposals_open = replication.proposals_open.load(std::memory_order_relaxed),
      .own_key_conflicts = 0,
      .snapshot_age_ns = std::nullopt};
  const int64_t durable_ns = replication.snapshot_durable_ns.load(std::memory_order_relaxed);
  if (durable_ns != 0) metrics.snapshot_age_ns = clock.NowNs() - durable_ns;
  return metrics;
}

}  // namespace bank::telemetry
