// The collectors of a branch.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "branch/telemetry/collectors/bank.h"
#include "branch/telemetry/collectors/collector.h"
#include "branch/telemetry/collectors/process.h"

namespace bank::telemetry {

// What can be seen of any host and process, in the catalog's order. `proc`: where its /proc is.
std::vector<std::unique_ptr<Collector>> MakeHostCollectors(const std::string& proc,
                                                           HostUnits units);

// Likewise of this host, and the bank last.
std::vector<std::unique_ptr<Collector>> MakeCollectors(const std::string& proc, StatusSource status,
                                                       ProcessMetricsSource metrics);

}  // namespace bank::telemetry
