// What the streams of metrics share: each lives from construction to its OnDone, is ended once, and
// does everything on the task queue.
#pragma once

#include <grpcpp/support/status.h>

#include <set>
#include <utility>

#include "branch/telemetry/stream/leader_tracker.h"
#include "branch/telemetry/stream/metric_streams.h"
#include "net/task_queue.h"

namespace bank::telemetry {

class MetricStreams::Call {
 public:
  Call(MetricStreams& streams, std::set<Call*>& group) : streams_(streams), group_(group) {
    streams_.wait_group_.Add();
  }
  virtual ~Call() { streams_.wait_group_.Remove(); }

  virtual void End(const grpc::Status& status) = 0;
  virtual void Pump() {}
  virtual void Tick() {}
  virtual void OnLeader(const Leader&) {}

 protected:
  // On the task queue, first of all. False: it has been ended.
  bool Enter(size_t max) {
    if (streams_.stopping_) {
      End({grpc::StatusCode::UNAVAILABLE, replication::kStopping});
    } else if (group_.size() >= max) {
      End({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many streams at this branch"});
    } else {
      group_.insert(this);
      return true;
    }
    return false;
  }
  // True for the first who ends it.
  bool Leave() {
    group_.erase(this);
    streams_.awake_.erase(this);
    return !std::exchange(ended_, true);
  }
  bool ended() const { return ended_; }
  void Post(net::TaskQueue::Task task) { streams_.task_queue_.Post(std::move(task)); }

  MetricStreams& streams_;

 private:
  std::set<Call*>& group_;
  bool ended_ = false;
};

}  // namespace bank::telemetry
