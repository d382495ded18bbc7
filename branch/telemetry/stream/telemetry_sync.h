// TelemetrySync: what ties this branch's metric store to the bank's.
//
// While another branch leads, two streams to it are open: PushMetrics takes this branch's own
// batches, events and heartbeats there, StreamMetrics{batches} brings everything else here. When
// the leader changes both move at once, and both go on where the other side is: the new leader says
// what it has of this branch, and this branch says what it has of all.
// While this branch leads it needs neither. Who joined and who was lost it writes down as
// AgentChanges says.
//
// A branch that starts first learns the past, its own of earlier runs included, and only then adds
// batches of this run, because a metric store takes batches of one agent in order only.
//
// Threads: Offer() any; all else happens on the task queue. Nothing blocks but Shutdown(), after
// which the task queue is stopped before this is destroyed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "branch/replication/replicator.h"
#include "branch/telemetry/agent_changes.h"
#include "branch/telemetry/journal.h"
#include "branch/telemetry/metric_store.h"
#include "branch/telemetry/stream/leader_tracker.h"
#include "branch/telemetry/stream/push_stream.h"
#include "net/task_queue.h"
#include "net/wait_group.h"

namespace bank::telemetry {

// The metadata of a branch's own streams: the bank's number, in hex. Only who sends it may speak in
// a branch's name.
inline constexpr char kBankKey[] = "bank-number";
std::string BankValue(uint64_t bank);  // what stands under it

// What a branch that does not lead says to whom it sends away.
inline constexpr char kNoLeader[] = "there is no leader now: connect again";

struct TelemetrySyncOptions {
  uint64_t bank = 0;
  int64_t heartbeat_ns = 500'000'000;
  int64_t redial_ns = 100'000'000;
  // How long a branch waits for the past before it adds batches of its own.
  int64_t patience_ns = 3'000'000'000;
};

class TelemetrySync {
 public:
  // All must outlive it. `status` is this branch's, for its heartbeats.
  TelemetrySync(TelemetrySyncOptions options, MetricStore& store, Journal& journal,
                LeaderTracker& leader_tracker, net::TaskQueue& task_queue,
                std::function<replication::ReplicatorStatus()> status);
  // Begins; the leader tracker may tell changes from now on.
  void Start();

  // A sample batch of this branch, into its metric store.
  void Offer(SampleBatchPtr batch);

  // Ends both streams and waits for their last reaction. Idempotent; not from the task queue.
  void Shutdown();

 private:
  class Follow;

  void OnLeader(const Leader& leader);
  void Connect();
  void Leave();
  // One of the streams ended by itself.
  void Broke(const char* what, const grpc::Status& status);
  void Redial(int64_t after_ns);
  void Take(Follow& follow, const v1::MetricUpdate& update);
  void Tick();
  void NoteChanges();
  void EndWaiting();

  const TelemetrySyncOptions options_;
  MetricStore& store_;
  Journal& journal_;
  LeaderTracker& leader_tracker_;
  net::TaskQueue& task_queue_;
  const std::function<replication::ReplicatorStatus()> status_;
  net::WaitGroup wait_group_;

  // Of the task queue.
  Leader leader_;
  PushStream* push_ = nullptr;  // each owns itself until its OnDone
  Follow* follow_ = nullptr;
  bool stopping_ = false;
  uint64_t dials_ = 0;     // tells a late redial from a current one
  bool informed_ = false;  // follows a leader and has caught up, or leads
  bool waiting_ = true;    // for the past
  int64_t give_up_ns_ = 0;
  std::vector<SampleBatchPtr> held_;
  AgentChanges changes_;
  std::string last_fault_;
};

}  // namespace bank::telemetry
