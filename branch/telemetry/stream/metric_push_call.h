// PushMetrics as a branch answers it: an agent's batches go into the metric store if this branch
// leads, and on to the leader if it does not.
//
// An agent may be anybody's. Only who knows the bank's number speaks for a branch; of the others
// this branch takes a few events at a time, and none from the future: they must not push the bank's
// own out of what is kept.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "branch/telemetry/stream/convert.h"
#include "branch/telemetry/stream/event_limit.h"
#include "branch/telemetry/stream/metric_call.h"

namespace bank::telemetry {

// A stream that was passed on once is not passed on again.
inline constexpr char kRelayedKey[] = "bank-relayed";

class MetricStreams::PushCall final : public Call, public grpc::ServerReadReactor<v1::MetricPush> {
 public:
  PushCall(MetricStreams& streams, grpc::CallbackServerContext* context);

  void OnReadDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

  void End(const grpc::Status& status) override;
  void OnLeader(const Leader& leader) override;

  // Of the relay.
  void PassMetadata(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata);
  void ReadOn();
  void RelayEnded(const grpc::Status& status);

 private:
  void Take();
  // The first message. False: the call has been ended.
  bool Begin();
  // OK, or why the branch's own agent may not speak here.
  grpc::Status CheckHello(const Agent& agent, std::string_view bank) const;
  void Join();

  grpc::CallbackServerContext& context_;
  v1::MetricPush message_;
  Leader leader_;
  AgentPtr agent_;  // nullptr: no hello yet
  SampleBatchDecoder decoder_;
  bool relayed_ = false;
  bool cancelled_ = false;
  Relay* relay_ = nullptr;
  EventLimit event_limit_;  // of an agent that is not a branch
};

}  // namespace bank::telemetry
