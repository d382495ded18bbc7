#include "branch/telemetry/stream/push_writer.h"

#include <algorithm>

namespace bank::telemetry {
namespace {

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

bool PushWriter::Write(const MetricStore::Chunk& chunk, int64_t now_ns, v1::MetricPush* message) {
  message->Clear();
  if (!chunk.events.empty() || now_ns >= next_heartbeat_ns_) {
    v1::MetricFrame* heartbeat = message->add_frames();
    SampleBatch batch;
    batch.agent = self_;
    batch.status = status_();
    encoder_.Encode(batch, heartbeat);
    for (const Event& event : chunk.events) {
      // Those of an earlier run the bank has told this one, and takes what is pushed for this
      // one's.
      if (event.incarnation == self_->incarnation) ToWire(event, heartbeat->add_events());
    }
    next_heartbeat_ns_ = now_ns + heartbeat_ns_;
  }
  for (const SampleBatchPtr& batch : chunk.batches) {
    v1::MetricFrame* wire = message->add_frames();
    encoder_.Encode(*batch, wire);
    wire->set_lost_before(std::max(batch->lost_before, LostBefore(chunk, *batch)));
  }
  return !message->frames().empty();
}

}  // namespace bank::telemetry
