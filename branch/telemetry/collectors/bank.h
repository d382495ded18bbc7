// The bank as this branch sees it: its place in the order, its ledger, its own work. Rates and
// quantiles are of the time since the last reading.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "branch/replication/replicator.h"
#include "branch/telemetry/catalog.h"
#include "branch/telemetry/collectors/collector.h"
#include "branch/telemetry/process_metrics.h"

namespace bank::telemetry {

class BankCollector final : public Collector {
 public:
  BankCollector(StatusSource status, ProcessMetricsSource metrics);
  std::string_view name() const override { return "bank"; }
  void Collect(int64_t now_ns, std::vector<Sample>* samples) override;
  void Forget() override { before_.reset(); }

 private:
  static constexpr std::array<double, 4> kQuantiles = {0.5, 0.9, 0.99, 0.999};
  using QuantileSeries = std::array<SeriesPtr, kQuantiles.size()>;
  struct Before {
    int64_t now_ns;
    ProcessMetrics metrics;
  };

  static QuantileSeries MakeQuantiles(const Metric& metric);
  static void AddQuantiles(const QuantileSeries& series, const LatencyCounts& counts,
                           std::vector<Sample>* samples);
  void CollectStatus(const replication::ReplicatorStatus& status,
                     std::vector<Sample>* samples) const;
  void CollectInterval(int64_t now_ns, const ProcessMetrics& metrics,
                       std::vector<Sample>* samples) const;

  const StatusSource status_source_;
  const ProcessMetricsSource metrics_source_;
  std::optional<Before> before_;

  const SeriesPtr reads_rate_ = MakeSeries(kOperationsRate, {{"kind", "read"}});
  const SeriesPtr writes_rate_ = MakeSeries(kOperationsRate, {{"kind", "write"}});
  const QuantileSeries durations_ = MakeQuantiles(kRequestDuration);
  const QuantileSeries syncs_ = MakeQuantiles(kDiskSyncDuration);
  const SeriesPtr operations_open_ = MakeSeries(kQueueDepth, {{"queue", "operations"}});
  const SeriesPtr disk_queue_ = MakeSeries(kQueueDepth, {{"queue", "disk"}});
  const SeriesPtr proposals_open_ = MakeSeries(kQueueDepth, {{"queue", "proposals"}});
  const SeriesPtr elections_ = MakeSeries(kRaftElections);
  const SeriesPtr snapshot_age_ = MakeSeries(kSnapshotAge);
  const SeriesPtr term_ = MakeSeries(kRaftTerm);
  const SeriesPtr commit_index_ = MakeSeries(kRaftCommitIndex);
  const SeriesPtr applied_index_ = MakeSeries(kRaftAppliedIndex);
  const SeriesPtr lag_ = MakeSeries(kRaftLag);
  const SeriesPtr leader_ = MakeSeries(kRaftLeader);
  const SeriesPtr position_ = MakeSeries(kPosition);
  const SeriesPtr snapshot_index_ = MakeSeries(kSnapshotIndex);
  const SeriesPtr accounts_ = MakeSeries(kAccounts);
  const SeriesPtr sessions_ = MakeSeries(kSessions);
  const SeriesPtr own_key_conflicts_ = MakeSeries(kOwnKeyConflicts);
  const SeriesPtr balance_total_ = MakeSeries(kBalanceTotal);
  const SeriesPtr ready_ = MakeSeries(kReady);
};

}  // namespace bank::telemetry
