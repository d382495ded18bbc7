#include "branch/telemetry/collectors/load.h"

#include "branch/telemetry/collectors/text.h"

namespace bank::telemetry {

std::optional<std::array<double, 3>> ParseLoadAverages(std::string_view loadavg) {
  std::array<double, 3> averages{};
  for (double& average : averages) {
    const std::optional<double> number = TakeNumber<double>(&loadavg);
    if (!number.has_value()) return std::nullopt;
    average = *number;
  }
  return averages;
}

LoadCollector::LoadCollector(const std::string& proc)
    : loadavg_(proc + "/loadavg"),
      series_{MakeSeries(kSystemLoad1), MakeSeries(kSystemLoad5), MakeSeries(kSystemLoad15)} {}

void LoadCollector::Collect(int64_t /*now_ns*/, std::vector<Sample>* samples) {
  const auto text = loadavg_.Read();
  if (!text.has_value()) return;
  const auto averages = ParseLoadAverages(*text);
  if (!averages.has_value()) return;
  for (size_t i = 0; i < series_.size(); ++i) samples->push_back({series_[i], (*averages)[i]});
}

}  // namespace bank::telemetry
