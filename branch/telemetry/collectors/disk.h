// What disks read and write: /proc/diskstats.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "branch/telemetry/catalog.h"
#include "branch/telemetry/collectors/collector.h"
#include "branch/telemetry/collectors/device_rates.h"
#include "branch/telemetry/collectors/proc_file.h"

namespace bank::telemetry {

struct DiskBytes {
  std::string_view device;
  uint64_t read = 0;
  uint64_t written = 0;
  // Made of other disks (device mapper, RAID): shown, but what it does is done by those, and
  // counted there.
  bool stacked = false;
};

// Whole disks, in the file's order; neither partitions, which are parts of one, nor what lies in
// memory or in another file (ram, zram, loop). Refers to the text.
void ParseDiskstats(std::string_view diskstats, std::vector<DiskBytes>* disks);

class DiskCollector final : public Collector {
 public:
  explicit DiskCollector(const std::string& proc);
  std::string_view name() const override { return "disk"; }
  void Collect(int64_t now_ns, std::vector<Sample>* samples) override;
  void Forget() override { rates_.Forget(); }

 private:
  ProcFile diskstats_;
  DeviceRates rates_;
  const SeriesPtr total_read_;
  const SeriesPtr total_written_;
  std::vector<DiskBytes> disks_;
};

}  // namespace bank::telemetry
