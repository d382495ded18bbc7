#include "branch/telemetry/stream/metric_streams.h"

#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "branch/telemetry/stream/metric_push_call.h"
#include "branch/telemetry/stream/metric_readers.h"

namespace bank::telemetry {
namespace {

constexpr int64_t kTickNs = 500'000'000;
// Wakes within this time share a message.
constexpr int64_t kFlushNs = 10'000'000;
constexpr int64_t kFlushNsBusy = 100'000'000;
constexpr size_t kReadersBusy = 10;

}  // namespace

MetricStreams::MetricStreams(MetricStreamsOptions options, MetricStore& store,
                             LeaderTracker& leader_tracker, net::TaskQueue& task_queue)
    : options_(std::move(options)),
      store_(store),
      leader_tracker_(leader_tracker),
      task_queue_(task_queue) {
  leader_tracker_.Watch([this](const Leader& leader) {
    const std::vector<Call*> pushes(pushes_.begin(), pushes_.end());
    for (Call* call : pushes) call->OnLeader(leader);
  });
  task_queue_.Post([this] { Tick(); });
}

void MetricStreams::Shutdown() {
  absl::Notification ended;
  task_queue_.Post([this, &ended] {
    stopping_ = true;
    for (const std::set<Call*>* group : {&pushes_, &readers_}) {
      const std::vector<Call*> calls(group->begin(), group->end());
      for (Call* call : calls) call->End({grpc::StatusCode::UNAVAILABLE, replication::kStopping});
    }
    ended.Notify();
  });
  ended.WaitForNotification();
}

void MetricStreams::AwaitEnded() { wait_group_.AwaitNone(); }

grpc::ServerReadReactor<v1::MetricPush>* MetricStreams::PushMetrics(
    grpc::CallbackServerContext* call) {
  return new PushCall(*this, call);
}

grpc::ServerWriteReactor<v1::MetricUpdate>* MetricStreams::StreamMetrics(
    const v1::StreamMetricsRequest& request) {
  return new MetricsCall(*this, request);
}

grpc::ServerWriteReactor<v1::Event>* MetricStreams::StreamEvents(
    const v1::StreamEventsRequest& request) {
  return new EventsCall(*this, request);
}

void MetricStreams::Wake(Call* call) {
  awake_.insert(call);
  if (std::exchange(flush_due_, true)) return;
  const int64_t pause_ns = readers_.size() > kReadersBusy ? kFlushNsBusy : kFlushNs;
  task_queue_.PostAt(task_queue_.clock().NowNs() + pause_ns, [this] { Flush(); });
}

void MetricStreams::Flush() {
  flush_due_ = false;
  for (Call* call : std::exchange(awake_, {})) call->Pump();
}

void MetricStreams::Tick() {
  if (stopping_) return;
  const std::vector<Call*> readers(readers_.begin(), readers_.end());
  for (Call* call : readers) call->Tick();
  task_queue_.PostAt(task_queue_.clock().NowNs() + kTickNs, [this] { Tick(); });
}

}  // namespace bank::telemetry
