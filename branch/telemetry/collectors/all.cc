#include "branch/telemetry/collectors/all.h"

#include <utility>

#include "branch/telemetry/collectors/cpu.h"
#include "branch/telemetry/collectors/disk.h"
#include "branch/telemetry/collectors/files.h"
#include "branch/telemetry/collectors/load.h"
#include "branch/telemetry/collectors/memory.h"
#include "branch/telemetry/collectors/network.h"
#include "branch/telemetry/collectors/pressure.h"
#include "branch/telemetry/collectors/uptime.h"

namespace bank::telemetry {

std::vector<std::unique_ptr<Collector>> MakeHostCollectors(const std::string& proc,
                                                           HostUnits units) {
  std::vector<std::unique_ptr<Collector>> all;
  all.push_back(std::make_unique<CpuCollector>(proc));
  all.push_back(std::make_unique<MemoryCollector>(proc));
  all.push_back(std::make_unique<DiskCollector>(proc));
  all.push_back(std::make_unique<NetworkCollector>(proc));
  all.push_back(std::make_unique<LoadCollector>(proc));
  all.push_back(std::make_unique<UptimeCollector>(proc));
  all.push_back(std::make_unique<FilesCollector>(proc));
  all.push_back(std::make_unique<PressureCollector>(proc));
  all.push_back(std::make_unique<ProcessCollector>(proc, units));
  return all;
}

std::vector<std::unique_ptr<Collector>> MakeCollectors(const std::string& proc, StatusSource status,
                                                       ProcessMetricsSource metrics) {
  auto all = MakeHostCollectors(proc, HostUnits::OfThisHost());
  all.push_back(std::make_unique<BankCollector>(std::move(status), std::move(metrics)));
  return all;
}

}  // namespace bank::telemetry
