#include "branch/telemetry/catalog.h"

#include <algorithm>

namespace bank::telemetry {
namespace {

constexpr Metric kCatalog[] = {kSystemCpuUtilization,
                               kSystemMemoryUtilization,
                               kSystemMemoryUsage,
                               kSystemDiskIo,
                               kSystemNetworkIo,
                               kSystemLoad1,
                               kSystemLoad5,
                               kSystemLoad15,
                               kSystemUptime,
                               kSystemFileDescriptorCount,
                               kSystemPressureStall,
                               kProcessCpuUtilization,
                               kProcessMemoryUsage,
                               kProcessFileDescriptorCount,
                               kProcessThreadCount,
                               kProcessUptime,
                               kOperationsRate,
                               kRequestDuration,
                               kQueueDepth,
                               kRaftTerm,
                               kRaftCommitIndex,
                               kRaftAppliedIndex,
                               kRaftLag,
                               kRaftElections,
                               kRaftLeader,
                               kPosition,
                               kDiskSyncDuration,
                               kSnapshotAge,
                               kSnapshotIndex,
                               kAccounts,
                               kSessions,
                               kOwnKeyConflicts,
                               kBalanceTotal,
                               kReady};

struct UnitWord {
  std::string_view unit;
  std::string_view suffix;
};
constexpr UnitWord kUnitWords[] = {{"%", "_percent"},       {"By", "_bytes"},
                                   {"KiBy", "_kibibytes"},  {"s", "_seconds"},
                                   {"ms", "_milliseconds"}, {"1", ""}};

std::string_view SuffixOf(std::string_view unit) {
  const auto* found = std::find_if(std::begin(kUnitWords), std::end(kUnitWords),
                                   [&](const UnitWord& word) { return word.unit == unit; });
  return found == std::end(kUnitWords) ? std::string_view() : found->suffix;
}

}  // namespace

std::span<const Metric> Catalog() { return kCatalog; }

const Metric* FindMetric(std::string_view name) {
  const auto* found = std::find_if(std::begin(kCatalog), std::end(kCatalog),
                                   [&](const Metric& metric) { return metric.name == name; });
  return found == std::end(kCatalog) ? nullptr : found;
}

std::string PrometheusName(std::string_view name, std::string_view unit) {
  std::string result(name);
  std::replace(result.begin(), result.end(), '.', '_');
  constexpr std::string_view kPerSecond = "/s";
  const bool rate = unit.ends_with(kPerSecond);
  if (rate) unit.remove_suffix(kPerSecond.size());
  result += SuffixOf(unit);
  if (rate) result += "_per_second";
  return result;
}

SeriesPtr MakeSeries(const Metric& metric,
                     std::vector<std::pair<std::string, std::string>> attributes) {
  std::sort(attributes.begin(), attributes.end());
  return std::make_shared<const Series>(
      Series{std::string(metric.name), std::move(attributes), std::string(metric.unit)});
}

}  // namespace bank::telemetry
