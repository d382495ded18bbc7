// LeaderTracker: who is the bank's leader now (the branch that leads), and how to reach it.
//
// Told by the replicator the moment that changes, so whoever keeps a stream to the leader moves at
// once. Connections are this folder's own: metrics never wait in front of the bank's messages.
// Threads: any; watchers run on the task queue.
#pragma once

#include <grpcpp/channel.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "bank/v1/monitor.grpc.pb.h"
#include "branch/replication/replicator.h"
#include "common/ids.h"
#include "net/security.h"
#include "net/task_queue.h"

namespace bank::telemetry {

struct LeaderTrackerOptions {
  BranchId self;
  std::map<BranchId, std::string> addresses;  // of the other branches, host:port
  net::TlsFiles tls;
};

// One reign. `channel` and `stub` are there if another branch leads.
struct Leader {
  BranchId branch;  // 0: nobody is known to lead
  bool self = false;
  uint64_t term = 0;
  std::shared_ptr<grpc::Channel> channel;
  std::shared_ptr<v1::Monitor::Stub> stub;

  bool SameAs(const Leader& other) const {
    return branch == other.branch && self == other.self && term == other.term;
  }
};

class LeaderTracker {
 public:
  // The worker must outlive it.
  LeaderTracker(LeaderTrackerOptions options, net::TaskQueue& task_queue);

  // Cheap, for the replicator's thread.
  void OnStatus(const replication::ReplicatorStatus& status);

  Leader Current() const;

  // `changed` runs on the task queue after each change, for as long as tasks run there. Changes in
  // quick succession may be told as one. Register all before the first OnStatus().
  void Watch(std::function<void(const Leader&)> changed);

 private:
  struct Line {
    std::shared_ptr<grpc::Channel> channel;
    std::shared_ptr<v1::Monitor::Stub> stub;
  };
  Line LineTo(BranchId branch) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const LeaderTrackerOptions options_;
  net::TaskQueue& task_queue_;
  std::vector<std::function<void(const Leader&)>> watchers_;  // of the task queue

  mutable absl::Mutex mutex_;
  Leader leader_ ABSL_GUARDED_BY(mutex_);  // without its line
  mutable std::map<BranchId, Line> lines_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bank::telemetry
