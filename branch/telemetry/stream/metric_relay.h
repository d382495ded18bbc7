// An agent's stream of metrics, passed on to the leader: message by message, each read after the
// one before it was written, so that the agent is held back as the leader holds back.
//
// On the task queue but for gRPC's reactions. It lives until its OnDone.
#pragma once

#include <grpcpp/client_context.h>

#include "branch/telemetry/stream/metric_push_call.h"
#include "branch/telemetry/stream/push_call.h"

namespace bank::telemetry {

class MetricStreams::Relay final : public PushReactor {
 public:
  Relay(PushCall* call, net::TaskQueue& task_queue, net::WaitGroup& wait_group,
        const Leader& leader);

  void Write(const v1::MetricPush& message);
  // The agent is gone: its stream ends there as it ended here.
  void Detach(bool cleanly);

  void OnReadInitialMetadataDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  PushCall* call_;  // of the task queue; nullptr: gone
  net::TaskQueue& task_queue_;
  net::WaitGroup& wait_group_;
  grpc::ClientContext context_;
  v1::PushMetricsReply reply_;
  bool open_ = true;
};

}  // namespace bank::telemetry
