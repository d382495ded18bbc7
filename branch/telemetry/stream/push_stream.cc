#include "branch/telemetry/stream/push_stream.h"

#include <utility>

#include "common/decimal.h"

namespace bank::telemetry {

PushStream::PushStream(Options options, const std::shared_ptr<grpc::Channel>& channel,
                       MetricStore& store, net::TaskQueue& task_queue, net::WaitGroup& wait_group,
                       std::function<void(const grpc::Status&)> ended)
    : options_(std::move(options)),
      store_(store),
      task_queue_(task_queue),
      wait_group_(wait_group),
      ended_(std::move(ended)),
      self_(std::make_shared<PushStream*>(this)),
      writer_(options_.self, options_.heartbeat_ns, options_.status) {
  wait_group_.Add();
  for (const auto& [key, value] : options_.metadata) context_.AddMetadata(key, value);
  PreparePush(channel, &context_, this);
  AddHold();  // writes start on the task queue
  ToWire(*options_.self, message_.mutable_hello());
  writing_ = true;
  StartWrite(&message_);
  StartRead(&reply_);
  StartCall();
}

void PushStream::Pump() {
  if (closed_ || writing_ || places_ == nullptr) return;
  const auto chunk = places_->Take(PushWriter::kBatchesAtATime);
  if (!writer_.Write(chunk, task_queue_.clock().NowNs(), &message_)) return;
  writing_ = true;
  StartWrite(&message_);
}

void PushStream::Close() {
  ended_ = nullptr;
  if (std::exchange(closed_, true)) return;
  places_.reset();
  context_.TryCancel();
  RemoveHold();
}

void PushStream::OnReadInitialMetadataDone(bool ok) {
  task_queue_.Post([this, ok] {
    if (!ok) return Broke();
    uint64_t last = 0;
    const auto& metadata = context_.GetServerInitialMetadata();
    if (const auto it = metadata.find(kLastSequenceKey); it != metadata.end()) {
      last = ParseDecimal<uint64_t>(std::string_view(it->second.data(), it->second.size()))
                 .value_or(0);
    }
    Subscribe(last);
  });
}

void PushStream::OnWriteDone(bool ok) {
  task_queue_.Post([this, ok] {
    writing_ = false;
    if (!ok) return Broke();
    if (!std::exchange(greeted_, true) && options_.metadata_patience_ns != 0) {
      task_queue_.PostAt(task_queue_.clock().NowNs() + options_.metadata_patience_ns,
                         [alive = std::weak_ptr(self_)] {
                           if (const auto self = alive.lock()) (*self)->Subscribe(0);
                         });
    }
    Pump();
  });
}

// There is nothing to read: the call is over.
void PushStream::OnReadDone(bool) {
  task_queue_.Post([this] { Broke(); });
}

void PushStream::OnDone(const grpc::Status& status) {
  task_queue_.Post([this, status] {
    net::WaitGroup& wait_group = wait_group_;
    if (ended_ != nullptr) ended_(status);
    delete this;
    wait_group.Remove();
  });
}

void PushStream::Subscribe(uint64_t last) {
  if (closed_ || places_ != nullptr) return;
  const Agent& self = *options_.self;
  places_ = store_.Subscribe(
      {.agent = self.name, .after = {{self.name, {self.incarnation, last}}}, .events = true},
      [this] { task_queue_.Post([this] { Pump(); }); });
  Pump();
}

// The call is over; its status comes with OnDone.
void PushStream::Broke() {
  if (std::exchange(closed_, true)) return;
  places_.reset();
  RemoveHold();
}

}  // namespace bank::telemetry
