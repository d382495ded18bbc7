#include "branch/telemetry/collectors/uptime.h"

#include "branch/telemetry/collectors/text.h"

namespace bank::telemetry {

std::optional<double> ParseUptimeSeconds(std::string_view uptime) {
  return TakeNumber<double>(&uptime);
}

UptimeCollector::UptimeCollector(const std::string& proc)
    : uptime_(proc + "/uptime"), series_(MakeSeries(kSystemUptime)) {}

void UptimeCollector::Collect(int64_t /*now_ns*/, std::vector<Sample>* samples) {
  const auto text = uptime_.Read();
  if (!text.has_value()) return;
  if (const auto seconds = ParseUptimeSeconds(*text)) samples->push_back({series_, *seconds});
}

}  // namespace bank::telemetry
