#include "branch/telemetry/collectors/device_rates.h"

#include "branch/telemetry/collectors/counter.h"
#include "common/clock.h"

namespace bank::telemetry {
namespace {

constexpr double kBytesPerKiB = 1024;

}  // namespace

DeviceRates::DeviceRates(const Metric& metric, std::string_view in, std::string_view out)
    : metric_(metric), directions_{std::string(in), std::string(out)} {}

void DeviceRates::Begin(int64_t now_ns) { now_ns_ = now_ns; }

DeviceRates::Rates DeviceRates::Add(std::string_view device, uint64_t in_bytes, uint64_t out_bytes,
                                    std::vector<Sample>* samples) {
  auto found = devices_.find(device);
  const bool known = found != devices_.end();
  if (!known) found = devices_.emplace(std::string(device), MakeDevice(device)).first;
  Device& own = found->second;
  const double passed_s = static_cast<double>(now_ns_ - own.read_ns) / kNsPerS;
  own.read_ns = now_ns_;
  const auto rate = [&](Counter& counter, uint64_t bytes) -> std::optional<double> {
    const std::optional<uint64_t> growth = CounterGrowth(counter.bytes, bytes);
    counter.bytes = bytes;
    if (!known || !growth.has_value() || passed_s <= 0) return std::nullopt;
    const double value = static_cast<double>(*growth) / kBytesPerKiB / passed_s;
    samples->push_back({counter.series, value});
    return value;
  };
  const std::optional<double> in = rate(own.counters[0], in_bytes);
  const std::optional<double> out = rate(own.counters[1], out_bytes);
  return {in, out};
}

void DeviceRates::End() {
  std::erase_if(devices_, [this](const auto& item) { return item.second.read_ns != now_ns_; });
}

DeviceRates::Device DeviceRates::MakeDevice(std::string_view device) const {
  Device made;
  for (size_t i = 0; i < directions_.size(); ++i) {
    made.counters[i].series =
        MakeSeries(metric_, {{"device", std::string(device)}, {"direction", directions_[i]}});
  }
  return made;
}

}  // namespace bank::telemetry
