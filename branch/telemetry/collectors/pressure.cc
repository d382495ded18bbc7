#include "branch/telemetry/collectors/pressure.h"

#include "branch/telemetry/collectors/text.h"

namespace bank::telemetry {

Stall ParsePressure(std::string_view pressure) {
  Stall stall;
  std::string_view line;
  while (TakeLine(&pressure, &line)) {
    const std::string_view kind = TakeField(&line);
    std::string_view average = TakeField(&line);
    constexpr std::string_view kAverage = "avg10=";
    if (!average.starts_with(kAverage)) continue;
    average.remove_prefix(kAverage.size());
    if (kind == "some") stall.some = ParseNumber<double>(average);
    if (kind == "full") stall.full = ParseNumber<double>(average);
  }
  return stall;
}

PressureCollector::Resource PressureCollector::MakeResource(const std::string& proc,
                                                            const std::string& name) {
  const auto series = [&](const char* type) {
    return MakeSeries(kSystemPressureStall, {{"resource", name}, {"type", type}});
  };
  // That all tasks want a processor at once means nothing for a whole host: the kernel shows a 0
  // there for the sake of old programs (Documentation/accounting/psi.rst).
  return {ProcFile(proc + "/pressure/" + name), series("some"),
          name == "cpu" ? nullptr : series("full")};
}

PressureCollector::PressureCollector(const std::string& proc)
    : resources_{MakeResource(proc, "cpu"), MakeResource(proc, "memory"),
                 MakeResource(proc, "io")} {}

void PressureCollector::Collect(int64_t /*now_ns*/, std::vector<Sample>* samples) {
  for (Resource& resource : resources_) {
    const auto text = resource.file.Read();
    if (!text.has_value()) continue;
    const Stall stall = ParsePressure(*text);
    if (stall.some.has_value()) samples->push_back({resource.some, *stall.some});
    if (stall.full.has_value() && resource.full != nullptr) {
      samples->push_back({resource.full, *stall.full});
    }
  }
}

}  // namespace bank::telemetry
