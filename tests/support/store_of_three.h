// A metric store as a branch of three has it, with batches made by hand.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "branch/console/view.h"
#include "branch/telemetry/metric_store.h"
#include "tests/support/test_clock.h"

namespace bank::console {

struct StoreOfThree {
  TestClock clock;
  telemetry::MetricStore store{telemetry::MetricStoreOptions{}, clock};
  std::vector<telemetry::AgentPtr> agents;
  bool serves = true;

  StoreOfThree() {
    for (uint64_t i = 1; i <= 3; ++i) {
      agents.push_back(std::make_shared<telemetry::Agent>(
          telemetry::Agent{.name = "branch-" + std::to_string(i),
                           .hostname = "host-" + std::to_string(i),
                           .branch = BranchId(i),
                           .incarnation = 7}));
    }
  }

  ViewSources Sources() {
    return {.self = BranchId(1),
            .members = {BranchId(1), BranchId(2), BranchId(3)},
            .serves = [this] { return serves; },
            .balances =
                [](size_t) {
                  return std::vector<std::pair<std::string, int64_t>>{{"shared", 400}};
                }};
  }

  static telemetry::Sample Sample(
      const std::string& metric, double value,
      std::vector<std::pair<std::string, std::string>> attributes = {}) {
    return {.series = std::make_shared<telemetry::Series>(telemetry::Series{
                .metric = metric, .attributes = std::move(attributes), .unit = "1"}),
            .value = value};
  }

  void Add(size_t branch, uint64_t sequence, int64_t time_ms,
           std::vector<telemetry::Sample> samples, uint64_t digest = 0xabc) {
    telemetry::SampleBatch batch;
    batch.agent = agents[branch - 1];
    batch.sequence = sequence;
    batch.time_unix_ns = time_ms * kNsPerMs;
    batch.samples = std::move(samples);
    batch.status.emplace();
    batch.status->role = branch == 2 ? replication::Role::kLeader : replication::Role::kFollower;
    batch.status->leader = BranchId(2);
    batch.status->term = Term(3);
    batch.status->ready = true;
    batch.status->applied_index = LogIndex(40);
    batch.status->ledger.state_digest = digest;
    batch.status->ledger.balance_total = 9'007'199'254'740'993;  // beyond a browser's numbers
    batch.status->ledger.accounts = 1;
    store.AddBatch(std::make_shared<telemetry::SampleBatch>(std::move(batch)));
  }
};

}  // namespace bank::console
