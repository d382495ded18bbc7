// Time since the host started: /proc/uptime.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "branch/telemetry/catalog.h"
#include "branch/telemetry/collectors/collector.h"
#include "branch/telemetry/collectors/proc_file.h"

namespace bank::telemetry {

std::optional<double> ParseUptimeSeconds(std::string_view uptime);

class UptimeCollector final : public Collector {
 public:
  explicit UptimeCollector(const std::string& proc);
  std::string_view name() const override { return "uptime"; }
  void Collect(int64_t now_ns, std::vector<Sample>* samples) override;

 private:
  ProcFile uptime_;
  const SeriesPtr series_;
};

}  // namespace bank::telemetry
