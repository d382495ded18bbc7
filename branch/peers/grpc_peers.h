// GrpcPeers: the way out to the other branches, over gRPC. Dials a peer when there is something to
// say to it: of fifty branches a learner connects to the leader alone.
//
// Lifetime: Shutdown() before destruction; it waits until every stream has ended for good. Later
// messages are lost and later requests refused.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "branch/peers/connection_numbers.h"
#include "branch/peers/forward_link.h"
#include "branch/peers/link.h"
#include "branch/peers/message_link.h"
#include "branch/peers/snapshot_sender.h"
#include "branch/replication/route/peers.h"
#include "common/clock.h"
#include "common/ids.h"
#include "net/security.h"

namespace bank::peers {

struct PeersOptions {
  uint64_t bank = 0;  // number of the bank (storage::Identity)
  BranchId self;
  std::map<BranchId, std::string> addresses;  // of the other branches, host:port
  net::TlsFiles tls;
};

class GrpcPeers final : public replication::Peers {
 public:
  // The clock must outlive it.
  GrpcPeers(PeersOptions options, const Clock& clock);
  // Shuts down.
  ~GrpcPeers() override;

  void Send(BranchId to, replication::Message message) override;
  void Forward(BranchId leader, replication::ForwardRequest request,
               replication::ForwardCallback done) override;

  // Cancels all streams, completes all requests, waits for the last reactor. Idempotent; not from
  // a callback.
  void Shutdown();

 private:
  struct Peer {
    LinkContext context;
    MessageLink messages{context};
    ForwardLink forward{context};
    SnapshotSender snapshots{context};
  };
  // Null: not a branch of this bank, or shut down.
  Peer* Find(BranchId id);

  const PeersOptions options_;
  const Clock& clock_;
  WaitGroup wait_group_;
  ConnectionNumbers numbers_;

  absl::Mutex mutex_;
  bool shutdown_ ABSL_GUARDED_BY(mutex_) = false;
  // Peers stay until destruction.
  absl::flat_hash_map<BranchId, std::unique_ptr<Peer>> peers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bank::peers
