// The collectors of a branch.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "branch/monitor/collectors/bank.h"
#include "branch/monitor/collectors/collector.h"

namespace bank::monitor {

// In the catalog's order. `proc`: where the host's /proc is.
std::vector<std::unique_ptr<Collector>> MakeCollectors(const std::string& proc, StatusSource status,
                                                       ProcessMetricsSource metrics);

}  // namespace bank::monitor
