// This process's own use of the host: /proc/self.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "branch/telemetry/catalog.h"
#include "branch/telemetry/collectors/collector.h"
#include "branch/telemetry/collectors/proc_file.h"

namespace bank::telemetry {

struct ProcessUse {
  uint64_t cpu_ticks = 0;  // user and system, since the process's start
  uint64_t threads = 0;
  uint64_t start_ticks = 0;  // when it started, since the host's start
  uint64_t resident_pages = 0;
};
std::optional<ProcessUse> ParseProcessStat(std::string_view stat);

// How the kernel counts. The defaults are this host's; tests give a recorded one's.
struct HostUnits {
  int64_t ticks_per_s;
  int64_t page_bytes;
  int64_t cpus;

  static HostUnits OfThisHost();
};

class ProcessCollector final : public Collector {
 public:
  ProcessCollector(const std::string& proc, HostUnits units);
  std::string_view name() const override { return "process"; }
  void Collect(int64_t now_ns, std::vector<Sample>* samples) override;
  void Forget() override { before_ns_.reset(); }

 private:
  const HostUnits units_;
  const std::string files_folder_;
  ProcFile stat_;
  ProcFile uptime_;
  uint64_t before_ticks_ = 0;
  std::optional<int64_t> before_ns_;
  const SeriesPtr cpu_;
  const SeriesPtr memory_;
  const SeriesPtr files_;
  const SeriesPtr threads_;
  const SeriesPtr running_;
};

}  // namespace bank::telemetry
