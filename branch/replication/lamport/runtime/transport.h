// Transport: exchanges with the other branches.
#pragma once

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "branch/replication/lamport/exchange.h"

namespace bank::replication::lamport {

class Transport {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<Reply>)>;

  virtual ~Transport() = default;

  // Never blocks. `done` runs exactly once, on any thread, perhaps before this returns; an error
  // says that the request may have arrived or not. There is one exchange with a branch at a time.
  virtual void Exchange(BranchId to, Request request, Done done) = 0;
};

}  // namespace bank::replication::lamport
