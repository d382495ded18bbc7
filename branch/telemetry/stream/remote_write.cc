#include "branch/telemetry/stream/remote_write.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/synchronization/notification.h"

namespace bank::telemetry {
namespace {

constexpr int64_t kLookNs = 250'000'000;

}  // namespace

RemoteWrite::RemoteWrite(PushStream::Options options, MetricStore& store,
                         net::TaskQueue& task_queue)
    : options_(std::move(options)), store_(store), task_queue_(task_queue) {}

void RemoteWrite::Start(std::shared_ptr<grpc::Channel> channel) {
  task_queue_.Post([this, channel = std::move(channel)] {
    channel_ = channel;
    Dial();
    Tick();
  });
}

void RemoteWrite::Stop() {
  absl::Notification closed;
  task_queue_.Post([this, &closed] {
    stopping_ = true;
    if (stream_ != nullptr) std::exchange(stream_, nullptr)->Close();
    closed.Notify();
  });
  closed.WaitForNotification();
  wait_group_.AwaitNone();
}

void RemoteWrite::Dial() {
  if (stopping_) return;
  dialled_ns_ = task_queue_.clock().NowNs();
  stream_ = new PushStream(options_, channel_, store_, task_queue_, wait_group_,
                           [this](const grpc::Status& status) { OnEnded(status); });
}

void RemoteWrite::OnEnded(const grpc::Status& status) {
  stream_ = nullptr;
  const int64_t now_ns = task_queue_.clock().NowNs();
  const int64_t pause_ns = pause_.After(status.error_code(), now_ns - dialled_ns_);
  const std::string reason = status.ok() ? "the server ended it" : status.error_message();
  if (reason != last_reason_) {
    spdlog::info("the metrics for the foreign server: {}; tried again every {} ms", reason,
                 pause_ns / kNsPerMs);
  }
  last_reason_ = reason;
  task_queue_.PostAt(now_ns + pause_ns, [this] { Dial(); });
}

void RemoteWrite::Tick() {
  if (stopping_) return;
  if (stream_ != nullptr) stream_->Pump();  // there may be a heartbeat to give
  task_queue_.PostAt(task_queue_.clock().NowNs() + kLookNs, [this] { Tick(); });
}

}  // namespace bank::telemetry
