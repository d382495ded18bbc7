// UpdateWriter: what a reader of StreamMetrics is written, of all that its place in the metric
// store gives. Pure; remembers which series the stream has defined.
#pragma once

#include <cstdint>
#include <vector>

#include "bank/v1/monitor.pb.h"
#include "branch/telemetry/metric_store.h"
#include "branch/telemetry/stream/convert.h"
#include "branch/telemetry/stream/sample_filter.h"

namespace bank::telemetry {

class UpdateWriter {
 public:
  explicit UpdateWriter(const v1::StreamMetricsRequest& request)
      : filter_(request), raw_(request.frames()) {}

  // Whether frames were asked for instead of samples.
  bool raw() const { return raw_; }
  // How many of the batch's samples the reader wants.
  uint64_t Count(const SampleBatch& batch) { return filter_.Count(batch); }

  // Adds what is wanted of the chunk; that may be nothing.
  void Add(const MetricStore::Chunk& chunk, v1::MetricUpdate* update);
  // What is known of each wanted agent's life.
  void AddLives(const std::vector<AgentView>& agents, int64_t now_ns,
                v1::MetricUpdate* update) const;

 private:
  void AddSamples(const SampleBatch& batch, v1::MetricUpdate* update);
  void AddBatch(const SampleBatch& batch, v1::MetricUpdate* update);

  SampleFilter filter_;
  const bool raw_;
  SampleBatchEncoder encoder_;
};

}  // namespace bank::telemetry
