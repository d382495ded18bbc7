#include "branch/console/exposition.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <vector>

#include "branch/telemetry/catalog.h"
#include "common/clock.h"
#include "common/version.h"

namespace bank::console {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Buckets end at 2^k nanoseconds, where the branch's own counts have an end too: 65 us to 8.6 s.
constexpr int kLowestExponent = 16;
constexpr int kHighestExponent = 33;

ClientMetric Labelled(const std::vector<std::pair<std::string, std::string>>& attributes) {
  ClientMetric metric;
  for (const auto& [name, value] : attributes) metric.label.push_back({name, value});
  return metric;
}

MetricFamily Family(std::string name, std::string_view help, MetricType type) {
  MetricFamily family;
  family.name = std::move(name);
  family.help = std::string(help);
  family.type = type;
  return family;
}

std::vector<MetricFamily> Gauges(const telemetry::SampleBatch& batch) {
  std::map<std::string, MetricFamily> families;
  for (const telemetry::Sample& sample : batch.samples) {
    const telemetry::Series& series = *sample.series;
    const std::string name = telemetry::PrometheusName(series.metric, series.unit);
    auto [family, is_new] = families.try_emplace(name);
    if (is_new) {
      const telemetry::Metric* known = telemetry::FindMetric(series.metric);
      family->second = Family(name, known != nullptr ? known->help : "", MetricType::Gauge);
    }
    ClientMetric metric = Labelled(series.attributes);
    metric.gauge.value = sample.value;
    family->second.metric.push_back(std::move(metric));
  }
  std::vector<MetricFamily> result;
  for (auto& [name, family] : families) result.push_back(std::move(family));
  return result;
}

ClientMetric Histogram(const LatencyCounts& counts,
                       const std::vector<std::pair<std::string, std::string>>& attributes) {
  ClientMetric metric = Labelled(attributes);
  for (int exponent = kLowestExponent; exponent <= kHighestExponent; ++exponent) {
    const int64_t bound_ns = int64_t{1} << exponent;
    metric.histogram.bucket.push_back({.cumulative_count = counts.CountAtMost(bound_ns - 1),
                                       .upper_bound = static_cast<double>(bound_ns) / kNsPerS});
  }
  metric.histogram.sample_count = counts.count();
  metric.histogram.sample_sum = static_cast<double>(counts.sum_ns) / kNsPerS;
  return metric;
}

}  // namespace

std::string Expose(const telemetry::SampleBatch* newest, const telemetry::ProcessMetrics& metrics,
                   const telemetry::Agent& agent) {
  std::vector<MetricFamily> families;
  if (newest != nullptr) families = Gauges(*newest);

  MetricFamily requests = Family("bank_request_seconds",
                                 "Time from an operation's arrival at this branch to its answer",
                                 MetricType::Histogram);
  requests.metric.push_back(Histogram(metrics.reads, {{"kind", "read"}}));
  requests.metric.push_back(Histogram(metrics.writes, {{"kind", "write"}}));
  families.push_back(std::move(requests));

  MetricFamily syncs = Family("bank_disk_sync_seconds", "Time that the log took to become durable",
                              MetricType::Histogram);
  syncs.metric.push_back(Histogram(metrics.syncs, {}));
  families.push_back(std::move(syncs));

  MetricFamily info = Family("bank_branch_info", "Which branch this is", MetricType::Gauge);
  info.metric.push_back(Labelled({{"branch", std::to_string(agent.branch.value)},
                                  {"hostname", agent.hostname},
                                  {"version", std::string(Version())}}));
  info.metric.back().gauge.value = 1;
  families.push_back(std::move(info));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace bank::console
