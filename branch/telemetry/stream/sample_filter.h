// Which samples a reader asked for. Pure; remembers what it has decided, so not thread-safe.
#pragma once

#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "bank/v1/monitor.pb.h"
#include "branch/telemetry/sample_batch.h"

namespace bank::telemetry {

class SampleFilter {
 public:
  explicit SampleFilter(const v1::StreamMetricsRequest& request);

  bool Wants(const Agent& agent) const;
  bool Wants(const SeriesPtr& series);
  // All series, of the agents that are wanted.
  bool wants_all_series() const { return request_.metric().empty(); }
  // How many samples of this batch are wanted.
  uint64_t Count(const SampleBatch& batch);

 private:
  struct Known {
    SeriesPtr series;  // keeps the address from being another's
    bool wanted = false;
  };
  v1::StreamMetricsRequest request_;
  absl::flat_hash_map<const Series*, Known> known_;
};

// Whether `name` is `pattern`, or begins with what stands before its trailing '*'.
bool Matches(std::string_view pattern, std::string_view name);

}  // namespace bank::telemetry
