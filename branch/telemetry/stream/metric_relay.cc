#include "branch/telemetry/stream/metric_relay.h"

#include <utility>

namespace bank::telemetry {

MetricStreams::Relay::Relay(PushCall* call, net::TaskQueue& task_queue, net::WaitGroup& wait_group,
                            const Leader& leader)
    : call_(call), task_queue_(task_queue), wait_group_(wait_group) {
  wait_group_.Add();
  context_.AddMetadata(kRelayedKey, "1");
  PreparePush(leader.channel, &context_, this);
  AddHold();
  StartRead(&reply_);
  StartCall();
}

void MetricStreams::Relay::Write(const v1::MetricPush& message) {
  if (open_) StartWrite(&message);
}

void MetricStreams::Relay::Detach(bool cleanly) {
  call_ = nullptr;
  if (!std::exchange(open_, false)) return;
  if (cleanly) {
    StartWritesDone();
  } else {
    context_.TryCancel();
  }
  RemoveHold();
}

void MetricStreams::Relay::OnReadInitialMetadataDone(bool ok) {
  task_queue_.Post([this, ok] {
    if (ok && call_ != nullptr) call_->PassMetadata(context_.GetServerInitialMetadata());
  });
}

void MetricStreams::Relay::OnReadDone(bool) {
  task_queue_.Post([this] {
    if (std::exchange(open_, false)) RemoveHold();  // the status comes with OnDone
  });
}

void MetricStreams::Relay::OnWriteDone(bool ok) {
  task_queue_.Post([this, ok] {
    if (ok && call_ != nullptr) call_->ReadOn();
  });
}

void MetricStreams::Relay::OnDone(const grpc::Status& status) {
  task_queue_.Post([this, status] {
    if (call_ != nullptr) call_->RelayEnded(status);
    net::WaitGroup& wait_group = wait_group_;
    delete this;
    wait_group.Remove();
  });
}

}  // namespace bank::telemetry
