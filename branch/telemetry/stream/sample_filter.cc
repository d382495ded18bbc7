#include "branch/telemetry/stream/sample_filter.h"

#include <algorithm>

namespace bank::telemetry {
namespace {

constexpr size_t kKnownMax = 20'000;

template <class Patterns>
bool AnyMatches(const Patterns& patterns, std::string_view name) {
  return patterns.empty() ||
         std::any_of(patterns.begin(), patterns.end(),
                     [&](const auto& pattern) { return Matches(pattern, name); });
}

}  // namespace

bool Matches(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == name;
}

SampleFilter::SampleFilter(const v1::StreamMetricsRequest& request) : request_(request) {}

bool SampleFilter::Wants(const Agent& agent) const {
  const auto& branches = request_.branch();
  return AnyMatches(request_.hostname(), agent.hostname) &&
         AnyMatches(request_.agent(), agent.name) &&
         (branches.empty() ||
          std::find(branches.begin(), branches.end(), agent.branch.value) != branches.end());
}

bool SampleFilter::Wants(const SeriesPtr& series) {
  if (wants_all_series()) return true;
  if (const auto known = known_.find(series.get()); known != known_.end()) {
    return known->second.wanted;
  }
  if (known_.size() >= kKnownMax) known_.clear();
  const bool wanted = AnyMatches(request_.metric(), series->metric);
  known_.emplace(series.get(), Known{series, wanted});
  return wanted;
}

uint64_t SampleFilter::Count(const SampleBatch& batch) {
  if (!Wants(*batch.agent)) return 0;
  return static_cast<uint64_t>(
      std::count_if(batch.samples.begin(), batch.samples.end(),
                    [this](const Sample& sample) { return Wants(sample.series); }));
}

}  // namespace bank::telemetry
