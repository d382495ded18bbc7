// PushWriter: the messages of one PushMetrics stream: an agent's batches, events and heartbeats.
// Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "bank/v1/monitor.pb.h"
#include "branch/replication/replicator.h"
#include "branch/telemetry/metric_store.h"
#include "branch/telemetry/stream/convert.h"

namespace bank::telemetry {

class PushWriter {
 public:
  // Frames in one message: small messages, so that nothing else waits long behind one.
  static constexpr size_t kBatchesAtATime = 32;

  // `status`: this branch's, for heartbeats.
  PushWriter(AgentPtr self, int64_t heartbeat_ns,
             std::function<replication::ReplicatorStatus()> status)
      : self_(std::move(self)), heartbeat_ns_(heartbeat_ns), status_(std::move(status)) {}

  // The next message: a heartbeat first, if one is due or there are events to carry, then the
  // batches. What is no longer held is told in the batch after it (lost_before). False: there is
  // nothing to send.
  bool Write(const MetricStore::Chunk& chunk, int64_t now_ns, v1::MetricPush* message);

 private:
  const AgentPtr self_;
  const int64_t heartbeat_ns_;
  const std::function<replication::ReplicatorStatus()> status_;
  SampleBatchEncoder encoder_;
  int64_t next_heartbeat_ns_ = 0;
};

}  // namespace bank::telemetry
