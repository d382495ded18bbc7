#include "branch/telemetry/stream/metric_readers.h"

#include <algorithm>
#include <iterator>

namespace bank::telemetry {
namespace {

constexpr size_t kBatchesAtATime = 8;      // samples are large
constexpr size_t kRawBatchesAtATime = 64;  // batches are small
constexpr size_t kEventsPastMax = 1000;

}  // namespace

MetricStreams::MetricsCall::MetricsCall(MetricStreams& streams,
                                        const v1::StreamMetricsRequest& request)
    : ReaderCall(streams), writer_(request) {
  MetricStore::Start start{
      .since_unix_ns = request.since_unix_nanos(),
      .lag_max_ns = writer_.raw() ? 0 : streams.options_.lag_max_ns,
      .weight = [this](const SampleBatch& batch) { return writer_.Count(batch); },
      .events = writer_.raw(),
      .audits = writer_.raw()};
  for (const auto& position : request.after()) {
    start.after[position.agent()] = {position.incarnation(), position.sequence()};
  }
  Post([this, start = std::move(start)]() mutable {
    if (!Begin(std::move(start))) return;
    life_due_ = writer_.raw();
    Pump();
  });
}

void MetricStreams::MetricsCall::Pump() {
  if (busy()) return;
  update_.Clear();
  for (;;) {
    const MetricStore::Chunk chunk =
        place().Take(writer_.raw() ? kRawBatchesAtATime : kBatchesAtATime);
    if (chunk.empty()) break;
    writer_.Add(chunk, &update_);
    if (update_.ByteSizeLong() > 0) break;  // the filter may have left nothing
  }
  if (update_.ByteSizeLong() == 0 && std::exchange(life_due_, false)) {
    writer_.AddLives(streams_.store_.Agents(), streams_.task_queue_.clock().NowNs(), &update_);
  }
  if (update_.ByteSizeLong() == 0) return;
  Write(&update_);
}

void MetricStreams::MetricsCall::Tick() {
  if (!writer_.raw()) return;
  life_due_ = true;
  Pump();
}

MetricStreams::EventsCall::EventsCall(MetricStreams& streams,
                                      const v1::StreamEventsRequest& request)
    : ReaderCall(streams), follow_(request.follow()) {
  Post([this, past = std::min<size_t>(request.past(), kEventsPastMax)] {
    if (Begin({.batches = false, .events = true, .events_past = past})) Pump();
  });
}

void MetricStreams::EventsCall::Pump() {
  if (busy()) return;
  if (events_.empty()) {
    MetricStore::Chunk chunk = place().Take(0);
    events_.assign(std::make_move_iterator(chunk.events.begin()),
                   std::make_move_iterator(chunk.events.end()));
  }
  if (!events_.empty()) {
    event_.Clear();
    ToWire(events_.front(), &event_);
    events_.pop_front();
    Write(&event_);
  } else if (!follow_) {
    End(grpc::Status::OK);
  }
}

}  // namespace bank::telemetry
