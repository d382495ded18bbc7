// LamportTransport: exchanges with the other branches over gRPC, for a bank that orders by logical
// clocks. A branch that does not answer within kExchangeMax counts as not reached.
//
// Lifetime: Shutdown() before destruction; it cancels what is under way and waits for its end.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "bank/v1/lamport.grpc.pb.h"
#include "branch/peers/grpc_peers.h"
#include "branch/replication/lamport/runtime/transport.h"
#include "net/wait_group.h"

namespace bank::peers {

class LamportTransport final : public replication::lamport::Transport {
 public:
  static constexpr std::chrono::seconds kExchangeMax{5};

  explicit LamportTransport(PeersOptions options) : options_(std::move(options)) {}
  // Shuts down.
  ~LamportTransport() override { Shutdown(); }

  void Exchange(BranchId to, replication::lamport::Request request, Done done) override;

  // Idempotent; not from a callback. Later exchanges fail at once.
  void Shutdown();

 private:
  struct Call;
  v1::Lamport::Stub* StubLocked(BranchId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const PeersOptions options_;
  net::WaitGroup wait_group_;

  absl::Mutex mutex_;
  bool shutdown_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<BranchId, std::unique_ptr<v1::Lamport::Stub>> stubs_ ABSL_GUARDED_BY(mutex_);
  std::set<Call*> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bank::peers
