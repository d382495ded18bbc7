#include "bankctl/metric_reader.h"

#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include <utility>

namespace bank::bankctl {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A branch says something twice a second; one that does not, hangs.
constexpr milliseconds kSilenceMax{2500};
constexpr absl::Duration kLook = absl::Milliseconds(200);

}  // namespace

std::string AttributesOf(const v1::Series& series) {
  const std::map<std::string, std::string> sorted(series.attributes().begin(),
                                                  series.attributes().end());
  std::string text;
  for (const auto& [key, value] : sorted) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
  }
  return text;
}

MetricReader::MetricReader(const std::vector<Branch>& branches, v1::StreamMetricsRequest request,
                           milliseconds patience)
    : branches_(branches),
      request_(std::move(request)),
      patience_(patience),
      watchdog_([this] { Watch(); }) {}

MetricReader::~MetricReader() {
  Cancel();
  watchdog_.join();
  HangUp();
}

void MetricReader::Cancel() {
  absl::MutexLock lock(&mutex_);
  cancelled_ = true;
  if (call_ != nullptr) call_->TryCancel();
}

void MetricReader::Watch() {
  absl::MutexLock lock(&mutex_);
  while (!mutex_.AwaitWithTimeout(absl::Condition(&cancelled_), kLook)) {
    if (call_ != nullptr && steady_clock::now() - heard_ > kSilenceMax) call_->TryCancel();
  }
}

bool MetricReader::Dial() {
  const Branch& branch = branches_[next_++ % branches_.size()];
  v1::StreamMetricsRequest request = request_;
  request.set_frames(true);
  for (const auto& [agent, position] : read_) {
    auto* after = request.add_after();
    after->set_agent(agent);
    after->set_incarnation(position.first);
    after->set_sequence(position.second);
  }
  auto call = std::make_unique<grpc::ClientContext>();
  grpc::ClientContext* context = call.get();
  {
    absl::MutexLock lock(&mutex_);
    if (cancelled_) return false;
    call_ = std::move(call);
    heard_ = steady_clock::now();
  }
  address_ = branch.target.address;
  series_.clear();
  stream_ = branch.monitor->StreamMetrics(context, request);
  return true;
}

void MetricReader::HangUp() {
  if (stream_ == nullptr) return;
  const grpc::Status status = stream_->Finish();
  fault_ = fmt::format("{}: {}", address_, status.error_message());
  stream_.reset();
  absl::MutexLock lock(&mutex_);
  call_.reset();
}

bool MetricReader::Next(Update* update) {
  *update = {};
  const auto give_up = steady_clock::now() + patience_;
  for (;;) {
    if (stream_ == nullptr && !Dial()) return false;
    v1::MetricUpdate wire;
    if (stream_->Read(&wire)) {
      {
        absl::MutexLock lock(&mutex_);
        heard_ = steady_clock::now();
      }
      Take(std::move(wire), update);
      return true;
    }
    HangUp();
    if (steady_clock::now() >= give_up) return false;
    // The next one may answer at once; when all were asked, there is something to wait for.
    if (next_ % branches_.size() == 0) AwaitChange(branches_.front(), kRedial);
  }
}

void MetricReader::Take(v1::MetricUpdate wire, Update* update) {
  update->gaps.assign(wire.gaps().begin(), wire.gaps().end());
  update->events.assign(wire.events().begin(), wire.events().end());
  for (v1::MetricUpdate::AgentFrame& frame : *wire.mutable_frames()) {
    if (frame.has_life()) {
      update->lives.push_back(std::move(frame));
      continue;
    }
    const v1::MetricFrame& metrics = frame.frame();
    for (const v1::Series& series : metrics.define()) {
      series_[series.id()] = std::make_shared<const v1::Series>(series);
    }
    read_[frame.agent().agent()] = {frame.agent().incarnation(), metrics.sequence()};
    for (int i = 0; i < std::min(metrics.series_size(), metrics.value_size()); ++i) {
      const auto series = series_.find(metrics.series(i));
      if (series == series_.end()) continue;
      update->samples.push_back({.time_unix_ns = metrics.time_unix_nanos(),
                                 .agent = frame.agent(),
                                 .sequence = metrics.sequence(),
                                 .series = series->second,
                                 .value = metrics.value(i)});
    }
  }
}

}  // namespace bank::bankctl
