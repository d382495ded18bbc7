// Goal: names are OpenTelemetry's in form, unique, and map one to one to Prometheus' names.
// Method: the whole table.
#include "branch/telemetry/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace bank::telemetry {
namespace {

TEST(Catalog, PrometheusNamesSayTheUnit) {
  EXPECT_EQ(PrometheusName("system.cpu.utilization", "%"), "system_cpu_utilization_percent");
  EXPECT_EQ(PrometheusName("system.memory.usage", "By"), "system_memory_usage_bytes");
  EXPECT_EQ(PrometheusName("system.disk.io", "KiBy/s"), "system_disk_io_kibibytes_per_second");
  EXPECT_EQ(PrometheusName("bank.operations.rate", "1/s"), "bank_operations_rate_per_second");
  EXPECT_EQ(PrometheusName("system.uptime", "s"), "system_uptime_seconds");
  EXPECT_EQ(PrometheusName("bank.disk.sync.duration", "ms"),
            "bank_disk_sync_duration_milliseconds");
  EXPECT_EQ(PrometheusName("bank.raft.commit_index", "1"), "bank_raft_commit_index");
}

// Words of a-z, 0-9 and _ between dots, two or more, the first letter a letter.
bool IsWellFormed(std::string_view name) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_allowed = [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.';
  };
  return !name.empty() && is_letter(name.front()) && name.back() != '.' &&
         name.find('.') != std::string_view::npos && name.find("..") == std::string_view::npos &&
         std::all_of(name.begin(), name.end(), is_allowed);
}

TEST(Catalog, EveryMetricHasAUniqueWellFormedNameOnBothSides) {
  const std::set<std::string_view> units = {"%", "By", "KiBy/s", "s", "ms", "1", "1/s"};
  std::set<std::string> names;
  std::set<std::string> prometheus;
  for (const Metric& metric : Catalog()) {
    const std::string name(metric.name);
    EXPECT_TRUE(IsWellFormed(name)) << name;
    EXPECT_TRUE(units.contains(metric.unit)) << name;
    EXPECT_FALSE(metric.help.empty()) << name;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_TRUE(prometheus.insert(PrometheusName(metric.name, metric.unit)).second) << name;
    EXPECT_EQ(FindMetric(metric.name), &metric);
  }
  EXPECT_EQ(FindMetric("system.cpu"), nullptr);
}

TEST(Catalog, SeriesHaveSortedAttributes) {
  const SeriesPtr series =
      MakeSeries(kSystemNetworkIo, {{"direction", "receive"}, {"device", "eth0"}});
  EXPECT_EQ(series->metric, "system.network.io");
  EXPECT_EQ(series->unit, "KiBy/s");
  EXPECT_EQ(series->attributes.front().first, "device");
}

}  // namespace
}  // namespace bank::telemetry
