#include "branch/telemetry/stream/push_stream.h"

#include <algorithm>
#include <utility>

#include "common/decimal.h"

namespace bank::telemetry {
namespace {

// Frames in one message: small messages, so that nothing else waits long behind one.
constexpr size_t kPushedAtATime = 32;

// How many batches before `batch` a chunk says will not come.
uint64_t LostBefore(const MetricStore::Chunk& chunk, const SampleBatch& batch) {
  uint64_t lost = 0;
  for (const StoreGap& gap : chunk.gaps) {
    const bool before = gap.incarnation == batch.agent->incarnation && gap.last_sequence != 0 &&
                        gap.last_sequence < batch.sequence;
    if (before && gap.until_unix_ns == batch.time_unix_ns) {
      lost += gap.last_sequence - gap.first_sequence + 1;
    }
  }
  return lost;
}

}  // namespace

PushStream::PushStream(Options options, const std::shared_ptr<grpc::Channel>& channel,
                       MetricStore& store, net::TaskQueue& task_queue, net::WaitGroup& wait_group,
                       std::function<void(const grpc::Status&)> ended)
    : options_(std::move(options)),
      store_(store),
      task_queue_(task_queue),
      wait_group_(wait_group),
      ended_(std::move(ended)),
      self_(std::make_shared<PushStream*>(this)) {
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
  const auto chunk = places_->Take(kPushedAtATime);
  const int64_t now_ns = task_queue_.clock().NowNs();
  message_.Clear();
  if (!chunk.events.empty() || now_ns >= next_sign_ns_) {
    v1::MetricFrame* sign = message_.add_frames();
    encoder_.Encode(*Heartbeat(), sign);
    for (const Event& event : chunk.events) {
      // Those of an earlier run the bank has told this one, and takes what is pushed for this
      // one's.
      if (event.incarnation == options_.self->incarnation) ToWire(event, sign->add_events());
    }
    next_sign_ns_ = now_ns + options_.heartbeat_ns;
  }
  for (const SampleBatchPtr& batch : chunk.batches) {
    v1::MetricFrame* wire = message_.add_frames();
    encoder_.Encode(*batch, wire);
    wire->set_lost_before(std::max(batch->lost_before, LostBefore(chunk, *batch)));
  }
  if (message_.frames().empty()) return;
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

SampleBatchPtr PushStream::Heartbeat() const {
  auto batch = std::make_shared<SampleBatch>();
  batch->agent = options_.self;
  batch->status = options_.status();
  return batch;
}

// The call is over; its status comes with OnDone.
void PushStream::Broke() {
  if (std::exchange(closed_, true)) return;
  places_.reset();
  RemoveHold();
}

}  // namespace bank::telemetry
