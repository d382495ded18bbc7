#include "branch/telemetry/stream/metric_relay.h"

#include <utility>

namespace bank::telemetry {

MetricStreams::Relay::Relay(PushCall* call, net::Worker& worker, net::Living& living,
                            const Master& master)
    : call_(call), worker_(worker), living_(living) {
  living_.Add();
  context_.AddMetadata(kRelayedKey, "1");
  PreparePush(master.channel, &context_, this);
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
  worker_.Post([this, ok] {
    if (ok && call_ != nullptr) call_->PassMetadata(context_.GetServerInitialMetadata());
  });
}

void MetricStreams::Relay::OnReadDone(bool) {
  worker_.Post([this] {
    if (std::exchange(open_, false)) RemoveHold();  // the status comes with OnDone
  });
}

void MetricStreams::Relay::OnWriteDone(bool ok) {
  worker_.Post([this, ok] {
    if (ok && call_ != nullptr) call_->ReadOn();
  });
}

void MetricStreams::Relay::OnDone(const grpc::Status& status) {
  worker_.Post([this, status] {
    if (call_ != nullptr) call_->RelayEnded(status);
    net::Living& living = living_;
    delete this;
    living.Remove();
  });
}

}  // namespace bank::telemetry
