// ReplicaAdmin: what an operator may ask of a branch's replicator, beside the customers' door
// (replicator.h).
//
// Thread-safe. A callback is called once, on any thread, perhaps before the call returns.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "branch/ledger/ledger.h"
#include "branch/replication/replicator.h"
#include "common/ids.h"

namespace bank::replication {

class ReplicaAdmin {
 public:
  using Done = Replicator::ReadCallback;

  virtual ~ReplicaAdmin() = default;

  // OK: a snapshot of all that was applied before is durable. DeadlineExceeded, Unavailable: it may
  // still be taken. FailedPrecondition: nothing is applied yet. Never blocks.
  virtual void TakeSnapshot(int64_t deadline_ns, Done done) = 0;

  // OK when `to` leads (0: whoever is most up to date). FailedPrecondition: this branch does not
  // lead. InvalidArgument: `to` is not another voter. Never blocks.
  virtual void TransferLeadership(BranchId to, Done done) = 0;

  // How branches agree, as --replicator names it.
  virtual std::string_view replicator_name() const = 0;

  // Shows `read` the ledger while nothing is applied: be quick.
  virtual void ReadLedger(absl::FunctionRef<void(const ledger::Ledger&)> read) const = 0;
};

}  // namespace bank::replication
