#include "branch/telemetry/stream/update_writer.h"

#include <set>
#include <string_view>

namespace bank::telemetry {

void UpdateWriter::Add(const MetricStore::Chunk& chunk, v1::MetricUpdate* update) {
  update->set_missed_samples(update->missed_samples() + chunk.missed);
  std::set<std::string_view> wanted;
  for (const SampleBatchPtr& batch : chunk.batches) {
    if (!filter_.Wants(*batch->agent)) continue;
    wanted.insert(batch->agent->name);
    raw_ ? AddBatch(*batch, update) : AddSamples(*batch, update);
  }
  // A gap's next batch is in the same chunk.
  for (const StoreGap& gap : chunk.gaps) {
    if (wanted.contains(gap.agent)) ToWire(gap, update->add_gaps());
  }
  for (const Event& event : chunk.events) ToWire(event, update->add_events());
  for (const auto& record : chunk.audits) ToWire(record, update->add_audits());
}

void UpdateWriter::AddSamples(const SampleBatch& batch, v1::MetricUpdate* update) {
  for (const Sample& sample : batch.samples) {
    if (!filter_.Wants(sample.series)) continue;
    v1::Sample* out = update->add_samples();
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
}

void UpdateWriter::AddBatch(const SampleBatch& batch, v1::MetricUpdate* update) {
  auto* wire = update->add_frames();
  ToWire(*batch.agent, wire->mutable_agent());
  SampleBatch chosen = batch;
  chosen.events.clear();  // they come by themselves
  if (!filter_.wants_all_series()) {
    std::erase_if(chosen.samples,
                  [this](const Sample& sample) { return !filter_.Wants(sample.series); });
  }
  encoder_.Encode(chosen, wire->mutable_frame());
}

void UpdateWriter::AddLives(const std::vector<AgentView>& agents, int64_t now_ns,
                            v1::MetricUpdate* update) const {
  for (const AgentView& view : agents) {
    if (!filter_.Wants(*view.agent)) continue;
    auto* wire = update->add_frames();
    ToWire(*view.agent, wire->mutable_agent());
    ToWire(view.liveness, view.life, now_ns, wire->mutable_life());
    if (view.status) {
      ToWire(*view.status, view.agent->branch, wire->mutable_frame()->mutable_status());
    }
  }
}

}  // namespace bank::telemetry
