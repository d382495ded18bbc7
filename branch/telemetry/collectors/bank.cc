#include "branch/telemetry/collectors/bank.h"

#include <fmt/format.h>

#include <utility>

#include "common/clock.h"

namespace bank::telemetry {
namespace {

LatencyCounts Since(const LatencyCounts& before, LatencyCounts now) {
  now -= before;
  return now;
}

}  // namespace

BankCollector::BankCollector(StatusSource status, ProcessMetricsSource metrics)
    : status_source_(std::move(status)), metrics_source_(std::move(metrics)) {}

BankCollector::QuantileSeries BankCollector::MakeQuantiles(const Metric& metric) {
  QuantileSeries series;
  for (size_t i = 0; i < kQuantiles.size(); ++i) {
    series[i] = MakeSeries(metric, {{"quantile", fmt::format("{}", kQuantiles[i])}});
  }
  return series;
}

void BankCollector::AddQuantiles(const QuantileSeries& series, const LatencyCounts& counts,
                                 std::vector<Sample>* samples) {
  for (size_t i = 0; i < kQuantiles.size(); ++i) {
    if (const std::optional<int64_t> ns = counts.QuantileNs(kQuantiles[i])) {
      samples->push_back({series[i], static_cast<double>(*ns) / kNsPerMs});
    }
  }
}

void BankCollector::Collect(int64_t now_ns, std::vector<Sample>* samples) {
  CollectStatus(status_source_(), samples);
  const ProcessMetrics metrics = metrics_source_();
  const auto add = [&](const SeriesPtr& series, auto value) {
    samples->push_back({series, static_cast<double>(value)});
  };
  add(operations_open_, metrics.operations_open);
  add(disk_queue_, metrics.disk_queue_depth);
  add(proposals_open_, metrics.proposals_open);
  add(elections_, metrics.elections);
  add(own_key_conflicts_, metrics.own_key_conflicts);
  if (metrics.snapshot_age_ns.has_value()) {
    add(snapshot_age_, static_cast<double>(*metrics.snapshot_age_ns) / kNsPerS);
  }
  CollectInterval(now_ns, metrics, samples);
  before_ = Before{now_ns, metrics};
}

void BankCollector::CollectStatus(const replication::ReplicatorStatus& status,
                                  std::vector<Sample>* samples) const {
  const auto add = [&](const SeriesPtr& series, auto value) {
    samples->push_back({series, static_cast<double>(value)});
  };
  add(term_, status.term.value);
  add(commit_index_, status.commit_index.value);
  add(applied_index_, status.applied_index.value);
  add(lag_, status.known_commit_index.value - status.applied_index.value);
  add(leader_, status.role == replication::Role::kLeader ? 1 : 0);
  add(position_, status.ledger.position.value);
  add(snapshot_index_, status.snapshot_index.value);
  add(accounts_, status.ledger.accounts);
  add(sessions_, status.ledger.sessions);
  add(balance_total_, status.ledger.balance_total);
  add(ready_, status.ready ? 1 : 0);
}

void BankCollector::CollectInterval(int64_t now_ns, const ProcessMetrics& metrics,
                                    std::vector<Sample>* samples) const {
  if (!before_.has_value() || now_ns <= before_->now_ns) return;
  const double passed_s = static_cast<double>(now_ns - before_->now_ns) / kNsPerS;
  LatencyCounts operations = Since(before_->metrics.reads, metrics.reads);
  const LatencyCounts writes = Since(before_->metrics.writes, metrics.writes);
  samples->push_back({reads_rate_, static_cast<double>(operations.count()) / passed_s});
  samples->push_back({writes_rate_, static_cast<double>(writes.count()) / passed_s});
  operations += writes;
  AddQuantiles(durations_, operations, samples);
  AddQuantiles(syncs_, Since(before_->metrics.syncs, metrics.syncs), samples);
}

}  // namespace bank::telemetry
