#include "branch/telemetry/stream/metric_link.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/synchronization/notification.h"

namespace bank::telemetry {
namespace {

constexpr int64_t kLookNs = 250'000'000;

}  // namespace

MetricLink::MetricLink(PushStream::Options options, Feed& feed, net::Worker& worker)
    : options_(std::move(options)), feed_(feed), worker_(worker) {}

void MetricLink::Start(std::shared_ptr<grpc::Channel> channel) {
  worker_.Post([this, channel = std::move(channel)] {
    channel_ = channel;
    Dial();
    Tick();
  });
}

void MetricLink::Stop() {
  absl::Notification closed;
  worker_.Post([this, &closed] {
    stopping_ = true;
    if (stream_ != nullptr) std::exchange(stream_, nullptr)->Close();
    closed.Notify();
  });
  closed.WaitForNotification();
  living_.AwaitNone();
}

void MetricLink::Dial() {
  if (stopping_) return;
  dialled_ns_ = worker_.clock().NowNs();
  stream_ = new PushStream(options_, channel_, feed_, worker_, living_,
                           [this](const grpc::Status& status) { OnEnded(status); });
}

void MetricLink::OnEnded(const grpc::Status& status) {
  stream_ = nullptr;
  const int64_t now_ns = worker_.clock().NowNs();
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    pause_ns_ = kPauseNsMax;
  } else if (status.error_code() == grpc::StatusCode::UNAVAILABLE ||
             now_ns - dialled_ns_ > kPauseNsMax) {
    pause_ns_ = kPauseNsMin;
  } else {
    pause_ns_ = std::min(2 * pause_ns_, kPauseNsMax);
  }
  const std::string reason = status.ok() ? "the server ended it" : status.error_message();
  if (reason != last_reason_) {
    spdlog::info("the metrics for the foreign server: {}; tried again every {} ms", reason,
                 pause_ns_ / 1'000'000);
  }
  last_reason_ = reason;
  worker_.PostAt(now_ns + pause_ns_, [this] { Dial(); });
}

void MetricLink::Tick() {
  if (stopping_) return;
  if (stream_ != nullptr) stream_->Pump();  // there may be a sign of life to give
  worker_.PostAt(worker_.clock().NowNs() + kLookNs, [this] { Tick(); });
}

}  // namespace bank::telemetry
