// Pressure-stall information: /proc/pressure/{cpu,memory,io}. Kernels may be built or started
// without it.
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

// Percent of the last ten seconds.
struct Stall {
  std::optional<double> some;
  std::optional<double> full;
};
Stall ParsePressure(std::string_view pressure);

class PressureCollector final : public Collector {
 public:
  explicit PressureCollector(const std::string& proc);
  std::string_view name() const override { return "pressure"; }
  void Collect(int64_t now_ns, std::vector<Sample>* samples) override;

 private:
  struct Resource {
    ProcFile file;
    SeriesPtr some;
    SeriesPtr full;  // nullptr: means nothing
  };
  static Resource MakeResource(const std::string& proc, const std::string& name);
  std::array<Resource, 3> resources_;
};

}  // namespace bank::telemetry
