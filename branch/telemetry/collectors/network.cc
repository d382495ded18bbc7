#include "branch/telemetry/collectors/network.h"

#include "branch/telemetry/catalog.h"
#include "branch/telemetry/collectors/text.h"

namespace bank::telemetry {

void ParseNetDev(std::string_view net_dev, std::vector<InterfaceBytes>* interfaces) {
  interfaces->clear();
  std::string_view line;
  while (TakeLine(&net_dev, &line)) {
    // The headings have no colon. An alias may have one in its name ("eth0:1"), numbers have none.
    const size_t colon = line.rfind(':');
    if (colon == std::string_view::npos) continue;
    std::string_view name = line.substr(0, colon);
    name = TakeField(&name);
    line.remove_prefix(colon + 1);
    const std::optional<uint64_t> received = TakeNumber<uint64_t>(&line);
    SkipFields(&line, 7);  // packets errs drop fifo batch compressed multicast
    const std::optional<uint64_t> transmitted = TakeNumber<uint64_t>(&line);
    if (name.empty() || !received.has_value() || !transmitted.has_value()) continue;
    interfaces->push_back({name, *received, *transmitted});
  }
}

NetworkCollector::NetworkCollector(const std::string& proc)
    : net_dev_(proc + "/net/dev"), rates_(kSystemNetworkIo, "receive", "transmit") {}

void NetworkCollector::Collect(int64_t now_ns, std::vector<Sample>* samples) {
  const auto text = net_dev_.Read();
  if (!text.has_value()) return;
  ParseNetDev(*text, &interfaces_);
  rates_.Begin(now_ns);
  for (const InterfaceBytes& own : interfaces_) {
    rates_.Add(own.device, own.received, own.transmitted, samples);
  }
  rates_.End();
}

}  // namespace bank::telemetry
