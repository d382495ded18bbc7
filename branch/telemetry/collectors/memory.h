// Memory as free(1) of procps 4 counts it: /proc/meminfo.
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

// Bytes.
struct MemoryUse {
  uint64_t total = 0;
  uint64_t used = 0;     // total less what is available to new programs without swapping
  uint64_t free = 0;     // used for nothing
  uint64_t cached = 0;   // the page cache and what of the kernel's own can be given back
  uint64_t buffers = 0;  // of block devices
};

// Nothing if the total is missing, or what is available (kernels before 3.14).
std::optional<MemoryUse> ParseMeminfo(std::string_view meminfo);

class MemoryCollector final : public Collector {
 public:
  explicit MemoryCollector(const std::string& proc);
  std::string_view name() const override { return "memory"; }
  void Collect(int64_t now_ns, std::vector<Sample>* samples) override;

 private:
  ProcFile meminfo_;
  const SeriesPtr utilization_;
  const SeriesPtr used_;
  const SeriesPtr free_;
  const SeriesPtr cached_;
  const SeriesPtr buffers_;
};

}  // namespace bank::telemetry
