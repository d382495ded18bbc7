// PushStream: one call of PushMetrics: this branch's own batches, events and heartbeats, to the
// bank's leader or to a foreign server of monitor.proto.
//
// It goes on where the other side is: what that has of this run of the branch stands in the call's
// initial metadata (kLastSequenceKey). A server that sends no metadata before its reply, as most
// that are written by hand, has nothing as far as can be known, and is sent all that is still held:
// see `metadata_patience_ns`. What is no longer held is told in the batch after it (lost_before).
//
// One write at a time, taken from the metric store when the one before it is done: a server that
// does not read costs nothing, and nobody waits for it.
//
// Everything happens on the task queue; the object is there until OnEnded, and deletes itself.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "branch/replication/replicator.h"
#include "branch/telemetry/metric_store.h"
#include "branch/telemetry/stream/convert.h"
#include "branch/telemetry/stream/push_call.h"
#include "branch/telemetry/stream/push_writer.h"
#include "net/task_queue.h"
#include "net/wait_group.h"

namespace bank::telemetry {

class PushStream final : public PushReactor {
 public:
  struct Options {
    AgentPtr self;
    std::map<std::string, std::string> metadata;
    int64_t heartbeat_ns = 500'000'000;
    // How long after the hello the other side may be silent about what it has. 0: for ever.
    int64_t metadata_patience_ns = 0;
    std::function<replication::ReplicatorStatus()> status;  // of this branch, for heartbeats
  };
  // `ended` is called once, on the task queue, unless Close() came before. All must outlive
  // `living`'s last.
  PushStream(Options options, const std::shared_ptr<grpc::Channel>& channel, MetricStore& store,
             net::TaskQueue& task_queue, net::WaitGroup& wait_group,
             std::function<void(const grpc::Status&)> ended);

  // On the task queue, before the end.
  void Pump();
  // The end; nothing may be called afterwards.
  void Close();

  void OnReadInitialMetadataDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  ~PushStream() override = default;
  void Subscribe(uint64_t last);
  void Broke();

  const Options options_;
  MetricStore& store_;
  net::TaskQueue& task_queue_;
  net::WaitGroup& wait_group_;
  std::function<void(const grpc::Status&)> ended_;
  const std::shared_ptr<PushStream*> self_;  // ends with it: for timers, which may come later
  grpc::ClientContext context_;
  v1::PushMetricsReply reply_;
  v1::MetricPush message_;
  PushWriter writer_;
  std::unique_ptr<MetricStore::Subscription> places_;
  bool writing_ = false;
  bool closed_ = false;
  bool greeted_ = false;  // the hello is on its way
};

}  // namespace bank::telemetry
