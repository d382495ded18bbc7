// An agent's stream of metrics, passed on to the master: message by message, each read after the
// one before it was written, so that the agent is held back as the master holds back.
//
// On the worker but for gRPC's reactions. It lives until its OnDone.
#pragma once

#include <grpcpp/client_context.h>

#include "branch/telemetry/stream/metric_push_call.h"
#include "branch/telemetry/stream/push_call.h"

namespace bank::telemetry {

class MetricStreams::Relay final : public PushReactor {
 public:
  Relay(PushCall* call, net::Worker& worker, net::Living& living, const Master& master);

  void Write(const v1::MetricPush& message);
  // The agent is gone: its stream ends there as it ended here.
  void Detach(bool cleanly);

  void OnReadInitialMetadataDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  PushCall* call_;  // of the worker; nullptr: gone
  net::Worker& worker_;
  net::Living& living_;
  grpc::ClientContext context_;
  v1::PushMetricsReply reply_;
  bool open_ = true;
};

}  // namespace bank::telemetry
