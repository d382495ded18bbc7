// DeviceRates: the two byte counters of each device (in and out) as KiB/s since the last time, for
// devices that come and go.
//
// Begin(), Add() for each device that there is, End(): what was not added is forgotten, so that a
// device that comes again begins anew. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "branch/telemetry/catalog.h"

namespace bank::telemetry {

class DeviceRates {
 public:
  // The values of the attribute "direction": `in` for the first counter, `out` for the second.
  DeviceRates(const Metric& metric, std::string_view in, std::string_view out);

  struct Rates {  // KiB/s
    std::optional<double> in;
    std::optional<double> out;
  };

  void Begin(int64_t now_ns);
  // Appends what is known of the device, and gives it.
  Rates Add(std::string_view device, uint64_t in_bytes, uint64_t out_bytes,
            std::vector<Sample>* samples);
  void End();
  void Forget() { devices_.clear(); }

 private:
  struct Counter {
    SeriesPtr series;
    uint64_t bytes = 0;
  };
  struct Device {
    std::array<Counter, 2> counters;
    int64_t read_ns = 0;
  };
  Device MakeDevice(std::string_view device) const;

  const Metric& metric_;
  const std::array<std::string, 2> directions_;
  int64_t now_ns_ = 0;
  std::map<std::string, Device, std::less<>> devices_;
};

}  // namespace bank::telemetry
