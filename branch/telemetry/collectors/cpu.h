// CPU time, all processors together and each: /proc/stat.
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

// Since the start of the host, in clock ticks.
struct CpuTimes {
  int cpu = -1;       // -1: all of them together
  uint64_t busy = 0;  // user, nice, system, irq, softirq, steal; guests' time is in user already
  uint64_t idle = 0;  // idle, iowait
};

// The lines of processors, in the file's order, into `times`.
void ParseCpuTimes(std::string_view stat, std::vector<CpuTimes>* times);

// 0 to 100. Nothing if no time passed.
std::optional<double> BusyPercent(const CpuTimes& before, const CpuTimes& now);

class CpuCollector final : public Collector {
 public:
  explicit CpuCollector(const std::string& proc);
  std::string_view name() const override { return "cpu"; }
  void Collect(int64_t now_ns, std::vector<Sample>* samples) override;
  void Forget() override { before_.clear(); }

 private:
  const SeriesPtr& SeriesOf(int cpu);

  ProcFile stat_;
  std::vector<CpuTimes> before_;
  std::vector<CpuTimes> now_;
  std::vector<SeriesPtr> series_;  // of cpu N at N + 1
};

}  // namespace bank::telemetry
