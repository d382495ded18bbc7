// SenderTable: which message stream of each other branch counts, and delivery by that one alone.
//
// Threads: any. Deliver() runs its callback under the sender's lock, so that a newer stream takes
// over strictly between two messages.
#pragma once

#include <cstdint>
#include <memory>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "branch/peers/hello.h"
#include "common/ids.h"

namespace bank::peers {

class SenderTable {
 public:
  // `senders`: the branches that may speak; nobody else ever gets an entry.
  explicit SenderTable(const std::set<BranchId>& senders);

  // PermissionDenied: not a branch of this bank.
  absl::Status CheckKnown(BranchId sender) const;

  // Makes `connection` the sender's stream from now on. Aborted: a newer one was seen.
  absl::Status Admit(BranchId sender, uint64_t connection);

  // A snapshot begins to arrive over a stream that belongs to `connection`; what arrived of another
  // one of this sender means nothing any more. 0 unless `connection` is the sender's newest;
  // else pass the number on to IsArriving().
  uint64_t BeginSnapshot(BranchId sender, uint64_t connection);
  bool IsArriving(BranchId sender, uint64_t snapshot);

  // Runs `deliver` if `connection` is still the sender's newest stream; false otherwise.
  bool Deliver(BranchId sender, uint64_t connection, absl::FunctionRef<void()> deliver);

 private:
  struct Slot {
    absl::Mutex mutex;
    ConnectionOrder order ABSL_GUARDED_BY(mutex);
    uint64_t snapshot ABSL_GUARDED_BY(mutex) = 0;  // number of the newest that began to arrive
  };
  absl::flat_hash_map<BranchId, std::unique_ptr<Slot>> slots_;  // fixed after construction
};

}  // namespace bank::peers
