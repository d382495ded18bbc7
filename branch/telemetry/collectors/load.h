// Load averages: /proc/loadavg.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "branch/telemetry/catalog.h"
#include "branch/telemetry/collectors/collector.h"
#include "branch/telemetry/collectors/proc_file.h"

namespace bank::telemetry {

// Of 1, 5 and 15 minutes.
std::optional<std::array<double, 3>> ParseLoadAverages(std::string_view loadavg);

class LoadCollector final : public Collector {
 public:
  explicit LoadCollector(const std::string& proc);
  std::string_view name() const override { return "load"; }
  void Collect(int64_t now_ns, std::vector<Sample>* samples) override;

 private:
  ProcFile loadavg_;
  const std::array<SeriesPtr, 3> series_;
};

}  // namespace bank::telemetry
