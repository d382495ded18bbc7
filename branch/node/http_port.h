// What the branch's HTTP port shows and checks, taken from the branch's pieces.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "branch/console/console.h"
#include "branch/monitor/feed.h"
#include "branch/monitor/process_metrics.h"
#include "branch/node/config.h"
#include "branch/replication/raft/raft_replicator.h"
#include "common/clock.h"

namespace bank::node {

// All must outlive the console.
struct HttpParts {
  const Config& config;
  replication::RaftReplicator& replicator;
  monitor::Feed& feed;
  monitor::AgentPtr self;
  monitor::ProcessMetricsSource metrics;
  std::function<bool()> serves;
  const Clock& clock;
};

// Errors as console::Console::Start.
absl::StatusOr<std::unique_ptr<console::Console>> StartHttp(const HttpParts& parts);

}  // namespace bank::node
