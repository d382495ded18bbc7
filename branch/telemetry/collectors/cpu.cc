#include "branch/telemetry/collectors/cpu.h"

#include <algorithm>

#include "branch/telemetry/collectors/text.h"

namespace bank::telemetry {

void ParseCpuTimes(std::string_view stat, std::vector<CpuTimes>* times) {
  times->clear();
  constexpr std::string_view kPrefix = "cpu";
  std::string_view line;
  while (TakeLine(&stat, &line) && line.starts_with(kPrefix)) {
    std::string_view number = TakeField(&line);
    number.remove_prefix(kPrefix.size());
    CpuTimes own;
    if (!number.empty()) {
      const std::optional<uint16_t> cpu = ParseNumber<uint16_t>(number);
      if (!cpu.has_value()) continue;
      own.cpu = *cpu;
    }
    constexpr int kFields = 8;  // user nice system idle iowait irq softirq steal
    constexpr int kIdle = 3;
    constexpr int kIoWait = 4;
    for (int field = 0; field < kFields; ++field) {
      const std::optional<uint64_t> ticks = TakeNumber<uint64_t>(&line);
      if (!ticks.has_value()) break;  // older kernels have fewer
      (field == kIdle || field == kIoWait ? own.idle : own.busy) += *ticks;
    }
    times->push_back(own);
  }
}

std::optional<double> BusyPercent(const CpuTimes& before, const CpuTimes& now) {
  // The kernel's iowait may go back a little; that is no time.
  const uint64_t busy = now.busy > before.busy ? now.busy - before.busy : 0;
  const uint64_t idle = now.idle > before.idle ? now.idle - before.idle : 0;
  if (busy + idle == 0) return std::nullopt;
  return 100 * static_cast<double>(busy) / static_cast<double>(busy + idle);
}

CpuCollector::CpuCollector(const std::string& proc) : stat_(proc + "/stat") {}

void CpuCollector::Collect(int64_t /*now_ns*/, std::vector<Sample>* samples) {
  const auto text = stat_.Read();
  if (!text.has_value()) return;
  ParseCpuTimes(*text, &now_);
  // Both lists ascend; a processor may have come or gone.
  auto before = before_.begin();
  for (const CpuTimes& now : now_) {
    while (before != before_.end() && before->cpu < now.cpu) ++before;
    if (before == before_.end() || before->cpu != now.cpu) continue;
    if (const auto percent = BusyPercent(*before, now)) {
      samples->push_back({SeriesOf(now.cpu), *percent});
    }
  }
  before_.swap(now_);
}

const SeriesPtr& CpuCollector::SeriesOf(int cpu) {
  const auto place = static_cast<size_t>(cpu + 1);
  if (place >= series_.size()) series_.resize(place + 1);
  SeriesPtr& series = series_[place];
  if (series == nullptr) {
    series = cpu < 0 ? MakeSeries(kSystemCpuUtilization)
                     : MakeSeries(kSystemCpuUtilization, {{"cpu", std::to_string(cpu)}});
  }
  return series;
}

}  // namespace bank::telemetry
