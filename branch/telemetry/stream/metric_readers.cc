#include "branch/telemetry/stream/metric_readers.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>

namespace bank::telemetry {
namespace {

constexpr size_t kBatchesAtATime = 8;      // samples are large
constexpr size_t kRawBatchesAtATime = 64;  // batches are small
constexpr size_t kEventsPastMax = 1000;

void AddSample(const SampleBatch& batch, const Sample& sample, v1::Sample* out) {
  out->set_time_unix_nanos(batch.time_unix_ns);
  out->set_hostname(batch.agent->hostname);
  out->set_metric(sample.series->metric);
  out->set_value(sample.value);
  out->set_sequence(batch.sequence);
  for (const auto& [key, value] : sample.series->attributes) {
    (*out->mutable_attributes())[key] = value;
  }
  out->set_unit(sample.series->unit);
  out->set_branch(static_cast<uint32_t>(batch.agent->branch.value));
  out->set_agent(batch.agent->name);
  out->set_incarnation(batch.agent->incarnation);
}

}  // namespace

MetricStreams::MetricsCall::MetricsCall(MetricStreams& streams,
                                        const v1::StreamMetricsRequest& request)
    : ReaderCall(streams), filter_(request), raw_(request.frames()) {
  MetricStore::Start start{
      .since_unix_ns = request.since_unix_nanos(),
      .lag_max_ns = raw_ ? 0 : streams.options_.lag_max_ns,
      .weight = [this](const SampleBatch& batch) { return filter_.Count(batch); },
      .events = raw_,
      .audits = raw_};
  for (const auto& position : request.after()) {
    start.after[position.agent()] = {position.incarnation(), position.sequence()};
  }
  Post([this, start = std::move(start)]() mutable {
    if (!Begin(std::move(start))) return;
    life_due_ = raw_;
    Pump();
  });
}

void MetricStreams::MetricsCall::Pump() {
  if (busy()) return;
  update_.Clear();
  for (;;) {
    const MetricStore::Chunk chunk = place().Take(raw_ ? kRawBatchesAtATime : kBatchesAtATime);
    if (chunk.empty()) break;
    Add(chunk);
    if (update_.ByteSizeLong() > 0) break;  // the filter may have left nothing
  }
  if (update_.ByteSizeLong() == 0 && std::exchange(life_due_, false)) AddLives();
  if (update_.ByteSizeLong() == 0) return;
  Write(&update_);
}

void MetricStreams::MetricsCall::Tick() {
  if (!raw_) return;
  life_due_ = true;
  Pump();
}

void MetricStreams::MetricsCall::Add(const MetricStore::Chunk& chunk) {
  update_.set_missed_samples(update_.missed_samples() + chunk.missed);
  std::set<std::string_view> wanted;
  for (const SampleBatchPtr& batch : chunk.batches) {
    if (!filter_.Wants(*batch->agent)) continue;
    wanted.insert(batch->agent->name);
    raw_ ? AddBatch(*batch) : AddSamples(*batch);
  }
  // A gap's next batch is in the same chunk.
  for (const StoreGap& gap : chunk.gaps) {
    if (wanted.contains(gap.agent)) ToWire(gap, update_.add_gaps());
  }
  for (const Event& event : chunk.events) ToWire(event, update_.add_events());
  for (const auto& record : chunk.audits) ToWire(record, update_.add_audits());
}

void MetricStreams::MetricsCall::AddSamples(const SampleBatch& batch) {
  for (const Sample& sample : batch.samples) {
    if (filter_.Wants(sample.series)) AddSample(batch, sample, update_.add_samples());
  }
}

void MetricStreams::MetricsCall::AddBatch(const SampleBatch& batch) {
  auto* wire = update_.add_frames();
  ToWire(*batch.agent, wire->mutable_agent());
  SampleBatch chosen = batch;
  chosen.events.clear();  // they come by themselves
  if (!filter_.wants_all_series()) {
    std::erase_if(chosen.samples,
                  [this](const Sample& sample) { return !filter_.Wants(sample.series); });
  }
  encoder_.Encode(chosen, wire->mutable_frame());
}

void MetricStreams::MetricsCall::AddLives() {
  const int64_t now_ns = streams_.task_queue_.clock().NowNs();
  for (const AgentView& view : streams_.store_.Agents()) {
    if (!filter_.Wants(*view.agent)) continue;
    auto* wire = update_.add_frames();
    ToWire(*view.agent, wire->mutable_agent());
    ToWire(view.liveness, view.life, now_ns, wire->mutable_life());
    if (view.status) {
      ToWire(*view.status, view.agent->branch, wire->mutable_frame()->mutable_status());
    }
  }
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
