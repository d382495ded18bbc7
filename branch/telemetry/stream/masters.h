// Masters: who is the bank's master now (the branch that leads), and how to reach it.
//
// Told by the replicator the moment that changes, so whoever keeps a stream to the master moves at
// once. Connections are this folder's own: metrics never wait in front of the bank's messages.
// Threads: any; watchers run on the worker.
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
#include "net/worker.h"

namespace bank::telemetry {

struct MastersOptions {
  BranchId self;
  std::map<BranchId, std::string> addresses;  // of the other branches, host:port
  net::TlsFiles tls;
};

// One reign. `channel` and `stub` are there if another branch leads.
struct Master {
  BranchId branch;  // 0: nobody is known to lead
  bool self = false;
  uint64_t term = 0;
  std::shared_ptr<grpc::Channel> channel;
  std::shared_ptr<v1::Monitor::Stub> stub;

  bool SameAs(const Master& other) const {
    return branch == other.branch && self == other.self && term == other.term;
  }
};

class Masters {
 public:
  // The worker must outlive it.
  Masters(MastersOptions options, net::Worker& worker);

  // Cheap, for the replicator's thread.
  void OnStatus(const replication::ReplicatorStatus& status);

  Master Current() const;

  // `changed` runs on the worker after each change, for as long as tasks run there. Changes in
  // quick succession may be told as one. Register all before the first OnStatus().
  void Watch(std::function<void(const Master&)> changed);

 private:
  struct Line {
    std::shared_ptr<grpc::Channel> channel;
    std::shared_ptr<v1::Monitor::Stub> stub;
  };
  Line LineTo(BranchId branch) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const MastersOptions options_;
  net::Worker& worker_;
  std::vector<std::function<void(const Master&)>> watchers_;  // of the worker

  mutable absl::Mutex mutex_;
  Master master_ ABSL_GUARDED_BY(mutex_);  // without its line
  mutable std::map<BranchId, Line> lines_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bank::telemetry
