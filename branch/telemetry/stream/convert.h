// Between the wire of bank/v1/monitor.proto and the values of branch/telemetry. Pure.
//
// What comes from outside is checked: sizes are bounded, text has no control characters. An error
// is InvalidArgument with one line that names the field.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bank/v1/monitor.pb.h"
#include "branch/telemetry/metric_store.h"
#include "branch/telemetry/sample_batch.h"

namespace bank::telemetry {

inline constexpr size_t kSeriesMax = 20'000;                // of one stream
inline constexpr size_t kSeriesBytesMax = size_t{8} << 20;  // of their text, of one stream
inline constexpr size_t kSamplesMax = 10'000;               // of one batch
inline constexpr size_t kEventsMax = 1'000;                 // of one batch
inline constexpr size_t kTextMax = 256;    // bytes of a name, a value of an attribute, ...
inline constexpr size_t kLineMax = 1'024;  // bytes of an event's text or a result's message

void ToWire(const Agent& agent, v1::Agent* wire);
absl::StatusOr<AgentPtr> FromWire(const v1::Agent& wire);

// All but members and version.
void ToWire(const replication::ReplicatorStatus& status, BranchId branch, v1::BranchStatus* wire);
replication::ReplicatorStatus FromWire(const v1::BranchStatus& wire);

void ToWire(const AuditRecord& record, v1::AuditRecord* wire);
AuditRecord FromWire(const v1::AuditRecord& wire);

// Text is for people: what is too long is cut, and control characters become \xNN.
void ToWire(const Event& event, v1::Event* wire);
Event FromWire(const v1::Event& wire);

void ToWire(const StoreGap& gap, v1::Gap* wire);

// Ages travel, not times: every branch has a steady clock of its own.
void ToWire(Liveness liveness, const Life& life, int64_t now_ns, v1::MetricUpdate::Life* wire);
Life FromWire(const v1::MetricUpdate::Life& wire, int64_t now_ns);

// Frames onto one stream: a series is defined the first time it is used there.
class SampleBatchEncoder {
 public:
  void Encode(const SampleBatch& batch, v1::MetricFrame* wire);

 private:
  struct Sent {
    SeriesPtr series;  // keeps the address from being another's
    uint32_t id = 0;
  };
  absl::flat_hash_map<const Series*, Sent> sent_;
};

// Frames of one stream. After an error the stream is to be ended.
class SampleBatchDecoder {
 public:
  absl::StatusOr<SampleBatchPtr> Decode(const AgentPtr& agent, const v1::MetricFrame& wire);

 private:
  absl::Status Define(const v1::Series& wire, SampleBatch* batch);

  absl::flat_hash_map<uint32_t, SeriesPtr> series_;
  size_t bytes_ = 0;  // of what stands in `series_`
};

}  // namespace bank::telemetry
