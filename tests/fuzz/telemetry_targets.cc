#include <cmath>

#include "branch/telemetry/stream/convert.h"
#include "branch/telemetry/stream/event_limit.h"
#include "branch/telemetry/stream/update_writer.h"
#include "common/check.h"
#include "common/one_line.h"
#include "tests/fuzz/target.h"

namespace bank::fuzz {
namespace {

using namespace telemetry;

constexpr int64_t kNowNs = 1'000'000'000'000;

void CheckLine(std::string_view text) {
  BANK_CHECK(text.size() <= kLineMax && OneLine(text, std::string::npos) == text) << text;
}

void CheckRecord(const AuditRecord& record) {
  for (const std::string* text :
       {&record.id, &record.agent, &record.issuer, &record.command, &record.message}) {
    CheckLine(*text);
  }
}

// What was taken is one line each, and is taken again as what it is.
void CheckEvent(const Event& event) {
  CheckLine(event.agent);
  CheckLine(event.text);
  if (event.audit) CheckRecord(*event.audit);
  v1::Event wire, again;
  ToWire(event, &wire);
  ToWire(FromWire(wire), &again);
  BANK_CHECK(wire.SerializeAsString() == again.SerializeAsString()) << wire.ShortDebugString();
}

void CheckSameSamples(const SampleBatch& one, const SampleBatch& other) {
  BANK_CHECK(one.samples.size() == other.samples.size()) << other.samples.size();
  for (size_t i = 0; i < one.samples.size(); ++i) {
    const double a = one.samples[i].value, b = other.samples[i].value;
    BANK_CHECK(*one.samples[i].series == *other.samples[i].series) << i;
    BANK_CHECK(a == b || (std::isnan(a) && std::isnan(b))) << a << " " << b;
  }
}

// False: refused, and the stream ends.
bool TakeFrame(SampleBatchDecoder& decoder, const AgentPtr& agent, const v1::MetricFrame& wire) {
  const auto batch = decoder.Decode(agent, wire);
  if (!batch.ok()) {
    CheckRefusal(batch.status());
    return false;
  }
  BANK_CHECK((*batch)->samples.size() == static_cast<size_t>(wire.value_size()));
  BANK_CHECK(agent->branch != BranchId(0) || !(*batch)->status) << "a stranger has no status";
  for (const Event& event : (*batch)->events) {
    CheckEvent(event);
    BANK_CHECK(event.agent == agent->name && event.incarnation == agent->incarnation);
    BANK_CHECK(agent->branch != BranchId(0) || !event.audit) << "a stranger writes no audit";
  }
  // Passed on, as a reader of frames is sent it.
  v1::MetricFrame passed_on;
  SampleBatchEncoder().Encode(**batch, &passed_on);
  const auto again = SampleBatchDecoder().Decode(agent, passed_on);
  BANK_CHECK(again.ok()) << again.status();
  CheckSameSamples(**batch, **again);
  return true;
}

// An agent's stream, as the leader takes it.
void RunPush(std::string_view bytes) {
  v1::MetricPush push;
  if (!push.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  const auto agent = FromWire(push.hello());
  if (!agent.ok()) return CheckRefusal(agent.status(), "hello.");
  v1::Agent back;
  ToWire(**agent, &back);
  push.mutable_hello()->DiscardUnknownFields();
  BANK_CHECK(back.SerializeAsString() == push.hello().SerializeAsString());
  SampleBatchDecoder decoder;
  EventLimit limit;
  for (v1::MetricFrame& wire : *push.mutable_frames()) {
    if ((*agent)->branch == BranchId(0)) {
      limit.Apply(&wire, kNowNs, kNowNs);
      for (const v1::Event& event : wire.events()) {
        BANK_CHECK(event.kind() == v1::Event::OTHER) << event.ShortDebugString();
        BANK_CHECK(event.time_unix_nanos() >= 0 && event.time_unix_nanos() <= kNowNs);
      }
    }
    if (!TakeFrame(decoder, *agent, wire)) return;
  }
}

// What the leader tells a branch that follows it.
void RunUpdate(std::string_view bytes) {
  v1::MetricUpdate update;
  if (!update.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  for (const v1::Event& event : update.events()) CheckEvent(FromWire(event));
  for (const v1::AuditRecord& record : update.audits()) CheckRecord(FromWire(record));
  SampleBatchDecoder decoder;
  for (const v1::MetricUpdate::AgentFrame& wire : update.frames()) {
    const auto agent = FromWire(wire.agent());
    if (!agent.ok()) return CheckRefusal(agent.status(), "hello.");
    if (!TakeFrame(decoder, *agent, wire.frame())) return;
    const Life life = FromWire(wire.life(), kNowNs);
    BANK_CHECK(life.heard_ns <= kNowNs && life.interval_ns >= 0) << life.heard_ns;
    BANK_CHECK(life.broken_ns == 0 || life.broken_ns > life.heard_ns) << life.broken_ns;
  }
}

// What a reader asks for: nothing that it does not want comes, and of what it wants all.
void RunRequest(std::string_view bytes) {
  v1::StreamMetricsRequest request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  auto batch = std::make_shared<SampleBatch>();
  batch->agent = std::make_shared<const Agent>(
      Agent{.name = "branch-3", .hostname = "host", .branch = BranchId(3), .incarnation = 7});
  for (const char* metric : {"cpu", "disk.read", "disk.write"}) {
    batch->samples.push_back(
        {std::make_shared<const Series>(Series{.metric = metric, .attributes = {}, .unit = "1"}),
         1});
  }
  MetricStore::Chunk chunk;
  chunk.batches = {batch, batch};
  UpdateWriter writer(request);
  const uint64_t wanted = writer.Count(*batch);
  v1::MetricUpdate update;
  writer.Add(chunk, &update);
  uint64_t written = static_cast<uint64_t>(update.samples_size());
  for (const auto& frame : update.frames()) {
    written += static_cast<uint64_t>(frame.frame().value_size());
  }
  BANK_CHECK(written == 2 * wanted) << written << " of " << wanted;
}

v1::MetricPush Push(uint32_t branch) {
  v1::MetricPush push;
  push.mutable_hello()->set_agent("branch-3");
  push.mutable_hello()->set_hostname("host");
  push.mutable_hello()->set_branch(branch);
  push.mutable_hello()->set_incarnation(7);
  for (uint64_t sequence = 1; sequence <= 2; ++sequence) {
    v1::MetricFrame* frame = push.add_frames();
    frame->set_sequence(sequence);
    frame->set_time_unix_nanos(1);
    if (sequence == 1) {
      v1::Series* series = frame->add_define();
      series->set_id(1);
      series->set_metric("cpu");
      series->set_unit("%");
      (*series->mutable_attributes())["mode"] = "idle";
    }
    frame->add_series(1);
    frame->add_value(0.5);
    frame->mutable_status()->set_role("leader");
    frame->mutable_status()->set_state_digest("00000000000000ff");
    frame->mutable_status()->add_checkpoints()->set_applied_index(1);
    v1::Event* event = frame->add_events();
    event->set_text("text");
    event->set_kind(v1::Event::COMMAND);
    event->mutable_audit()->set_id("id");
    event->mutable_audit()->set_message("done");
  }
  return push;
}

std::vector<std::string> PushSeeds() {
  return {Push(0).SerializeAsString(), Push(3).SerializeAsString()};
}

std::vector<std::string> UpdateSeeds() {
  v1::MetricUpdate update;
  const v1::MetricPush push = Push(3);
  for (const v1::MetricFrame& frame : push.frames()) {
    auto* wire = update.add_frames();
    *wire->mutable_agent() = push.hello();
    *wire->mutable_frame() = frame;
    wire->mutable_life()->set_silent_ms(500);
    wire->mutable_life()->set_broken_ms(100);
    wire->mutable_life()->set_interval_ms(500);
    *update.add_events() = frame.events(0);
    *update.add_audits() = frame.events(0).audit();
  }
  return {update.SerializeAsString()};
}

std::vector<std::string> RequestSeeds() {
  std::vector<std::string> seeds;
  for (const bool frames : {false, true}) {
    v1::StreamMetricsRequest request;
    request.set_frames(frames);
    seeds.push_back(request.SerializeAsString());
    request.add_metric("disk.*");
    request.add_agent("branch-3");
    request.add_branch(3);
    request.add_hostname("*");
    seeds.push_back(request.SerializeAsString());
  }
  return seeds;
}

constexpr FuzzTarget kTargets[] = {{"telemetry_push", RunPush, PushSeeds},
                                   {"telemetry_request", RunRequest, RequestSeeds},
                                   {"telemetry_update", RunUpdate, UpdateSeeds}};

}  // namespace

std::span<const FuzzTarget> TelemetryTargets() { return kTargets; }

}  // namespace bank::fuzz
