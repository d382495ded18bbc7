// ReplicationMetrics: what replication counts about itself, for monitoring. Read by any thread at
// any time; written by the threads of replication.
#pragma once

#include <atomic>
#include <cstdint>

#include "common/latency_histogram.h"

namespace bank::replication {

struct ReplicationMetrics {
  LatencyHistogram sync;                     // how long the log took to become durable, each time
  std::atomic<uint64_t> elections{0};        // leaders seen, one for each term that had one
  std::atomic<int64_t> disk_queue_depth{0};  // jobs that are not durable yet
  std::atomic<int64_t> proposals_open{0};    // proposals (batches) without an answer yet
  std::atomic<int64_t> snapshot_durable_ns{0};  // the newest one, on the steady clock; 0: none
                                                // was taken or received since the start
};

}  // namespace bank::replication
