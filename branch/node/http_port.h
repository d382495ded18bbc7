// What the branch's HTTP port shows and checks, taken from the branch's pieces.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "branch/console/console.h"
#include "branch/node/config.h"
#include "branch/node/order.h"
#include "branch/telemetry/metric_store.h"
#include "branch/telemetry/process_metrics.h"
#include "common/clock.h"

namespace bank::node {

// All must outlive the console.
struct HttpParts {
  const Config& config;
  Order& order;
  telemetry::MetricStore& store;
  telemetry::AgentPtr self;
  telemetry::ProcessMetricsSource metrics;
  std::function<bool()> serves;
  const Clock& clock;
};

// Errors as console::Console::Start.
absl::StatusOr<std::unique_ptr<console::Console>> StartHttp(const HttpParts& parts);

}  // namespace bank::node
