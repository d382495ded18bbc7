#include "branch/telemetry/collectors/memory.h"

#include "branch/telemetry/collectors/text.h"

namespace bank::telemetry {

std::optional<MemoryUse> ParseMeminfo(std::string_view meminfo) {
  uint64_t total = 0, free = 0, buffers = 0, cached = 0, reclaimable = 0;
  std::optional<uint64_t> available;
  std::string_view line;
  while (TakeLine(&meminfo, &line)) {
    const std::string_view name = TakeField(&line);
    const std::optional<uint64_t> kib = TakeNumber<uint64_t>(&line);
    if (!kib.has_value()) continue;
    const uint64_t bytes = *kib * 1024;
    if (name == "MemTotal:") total = bytes;
    if (name == "MemFree:") free = bytes;
    if (name == "MemAvailable:") available = bytes;
    if (name == "Buffers:") buffers = bytes;
    if (name == "Cached:") cached = bytes;
    if (name == "SReclaimable:") reclaimable = bytes;
  }
  if (total == 0 || !available.has_value()) return std::nullopt;
  // In some containers these are of different worlds; procps then takes what is free.
  const uint64_t unused = *available <= total ? *available : free;
  return MemoryUse{.total = total,
                   .used = unused <= total ? total - unused : 0,
                   .free = free,
                   .cached = cached + reclaimable,
                   .buffers = buffers};
}

MemoryCollector::MemoryCollector(const std::string& proc)
    : meminfo_(proc + "/meminfo"),
      utilization_(MakeSeries(kSystemMemoryUtilization)),
      used_(MakeSeries(kSystemMemoryUsage, {{"state", "used"}})),
      free_(MakeSeries(kSystemMemoryUsage, {{"state", "free"}})),
      cached_(MakeSeries(kSystemMemoryUsage, {{"state", "cached"}})),
      buffers_(MakeSeries(kSystemMemoryUsage, {{"state", "buffers"}})) {}

void MemoryCollector::Collect(int64_t /*now_ns*/, std::vector<Sample>* samples) {
  const auto text = meminfo_.Read();
  if (!text.has_value()) return;
  const std::optional<MemoryUse> use = ParseMeminfo(*text);
  if (!use.has_value()) return;
  const auto add = [&](const SeriesPtr& series, uint64_t bytes) {
    samples->push_back({series, static_cast<double>(bytes)});
  };
  samples->push_back(
      {utilization_, 100 * static_cast<double>(use->used) / static_cast<double>(use->total)});
  add(used_, use->used);
  add(free_, use->free);
  add(cached_, use->cached);
  add(buffers_, use->buffers);
}

}  // namespace bank::telemetry
