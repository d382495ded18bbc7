#include "branch/telemetry/stream/metric_readers.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>

namespace bank::telemetry {
namespace {

constexpr size_t kFramesAtATime = 8;      // samples are large
constexpr size_t kRawFramesAtATime = 64;  // frames are small
constexpr size_t kEventsPastMax = 1000;

void AddSample(const Frame& frame, const Reading& reading, v1::Sample* sample) {
  sample->set_time_unix_nanos(frame.time_unix_ns);
  sample->set_hostname(frame.agent->hostname);
  sample->set_metric(reading.series->metric);
  sample->set_value(reading.value);
  sample->set_sequence(frame.sequence);
  for (const auto& [key, value] : reading.series->attributes) {
    (*sample->mutable_attributes())[key] = value;
  }
  sample->set_unit(reading.series->unit);
  sample->set_branch(static_cast<uint32_t>(frame.agent->branch.value));
  sample->set_agent(frame.agent->name);
  sample->set_incarnation(frame.agent->incarnation);
}

}  // namespace

MetricStreams::MetricsCall::MetricsCall(MetricStreams& streams,
                                        const v1::StreamMetricsRequest& request)
    : ReaderCall(streams), filter_(request), raw_(request.frames()) {
  Feed::Start start{.since_unix_ns = request.since_unix_nanos(),
                    .lag_max_ns = raw_ ? 0 : streams.options_.lag_max_ns,
                    .weight = [this](const Frame& frame) { return filter_.Count(frame); },
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
    const Feed::Portion portion = place().Take(raw_ ? kRawFramesAtATime : kFramesAtATime);
    if (portion.empty()) break;
    Add(portion);
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

void MetricStreams::MetricsCall::Add(const Feed::Portion& portion) {
  update_.set_missed_samples(update_.missed_samples() + portion.missed);
  std::set<std::string_view> wanted;
  for (const FramePtr& frame : portion.frames) {
    if (!filter_.Wants(*frame->agent)) continue;
    wanted.insert(frame->agent->name);
    raw_ ? AddFrame(*frame) : AddSamples(*frame);
  }
  // A gap's next frame is in the same portion.
  for (const FeedGap& gap : portion.gaps) {
    if (wanted.contains(gap.agent)) ToWire(gap, update_.add_gaps());
  }
  for (const Event& event : portion.events) ToWire(event, update_.add_events());
  for (const auto& record : portion.audits) ToWire(record, update_.add_audits());
}

void MetricStreams::MetricsCall::AddSamples(const Frame& frame) {
  for (const Reading& reading : frame.readings) {
    if (filter_.Wants(reading.series)) AddSample(frame, reading, update_.add_samples());
  }
}

void MetricStreams::MetricsCall::AddFrame(const Frame& frame) {
  auto* wire = update_.add_frames();
  ToWire(*frame.agent, wire->mutable_agent());
  Frame chosen = frame;
  chosen.events.clear();  // they come by themselves
  if (!filter_.wants_all_series()) {
    std::erase_if(chosen.readings,
                  [this](const Reading& reading) { return !filter_.Wants(reading.series); });
  }
  encoder_.Encode(chosen, wire->mutable_frame());
}

void MetricStreams::MetricsCall::AddLives() {
  const int64_t now_ns = streams_.worker_.clock().NowNs();
  for (const AgentView& view : streams_.feed_.Agents()) {
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
    if (Begin({.frames = false, .events = true, .events_past = past})) Pump();
  });
}

void MetricStreams::EventsCall::Pump() {
  if (busy()) return;
  if (events_.empty()) {
    Feed::Portion portion = place().Take(0);
    events_.assign(std::make_move_iterator(portion.events.begin()),
                   std::make_move_iterator(portion.events.end()));
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
