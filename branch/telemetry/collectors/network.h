// What network interfaces receive and transmit: /proc/net/dev.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "branch/telemetry/collectors/collector.h"
#include "branch/telemetry/collectors/device_rates.h"
#include "branch/telemetry/collectors/proc_file.h"

namespace bank::telemetry {

struct InterfaceBytes {
  std::string_view device;
  uint64_t received = 0;
  uint64_t transmitted = 0;
};

// Every interface, "lo" too, in the file's order. Refers to the text.
void ParseNetDev(std::string_view net_dev, std::vector<InterfaceBytes>* interfaces);

class NetworkCollector final : public Collector {
 public:
  explicit NetworkCollector(const std::string& proc);
  std::string_view name() const override { return "network"; }
  void Collect(int64_t now_ns, std::vector<Sample>* samples) override;
  void Forget() override { rates_.Forget(); }

 private:
  ProcFile net_dev_;
  DeviceRates rates_;
  std::vector<InterfaceBytes> interfaces_;
};

}  // namespace bank::telemetry
