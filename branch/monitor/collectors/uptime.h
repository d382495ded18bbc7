// Time since the host started: /proc/uptime.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "branch/monitor/catalog.h"
#include "branch/monitor/collectors/collector.h"
#include "branch/monitor/collectors/proc_file.h"

namespace bank::monitor {

std::optional<double> ParseUptimeSeconds(std::string_view uptime);

class UptimeCollector final : public Collector {
 public:
  explicit UptimeCollector(const std::string& proc);
  std::string_view name() const override { return "uptime"; }
  void Collect(int64_t now_ns, std::vector<Reading>* readings) override;

 private:
  ProcFile uptime_;
  const SeriesPtr series_;
};

}  // namespace bank::monitor
