// The way from a branch's customers to whoever leads, as the forwarder and the read index client
// see it.
#pragma once

#include <cstdint>

#include "branch/replication/route/peers.h"
#include "common/ids.h"

namespace bank::replication {

class LeaderTransport {
 public:
  virtual ~LeaderTransport() = default;
  // To this branch itself if it leads, else over the network. `done` exactly once, perhaps before
  // this returns: never call it with a lock held.
  virtual void Submit(BranchId leader, ForwardRequest request, ForwardCallback done) = 0;
  // Somebody will look at the caller's deadline at that time, or soon after. Takes no lock of the
  // caller's.
  virtual void WakeBy(int64_t deadline_ns) = 0;
};

// How long to wait before the same leader is asked again; a new leader is asked at once.
struct RetryPause {
  int64_t next_ns = kMinNs;
  static constexpr int64_t kMinNs = 20'000'000;
  static constexpr int64_t kMaxNs = 200'000'000;

  int64_t Take() {
    const int64_t now = next_ns;
    next_ns = next_ns * 2 < kMaxNs ? next_ns * 2 : kMaxNs;
    return now;
  }
  void Reset() { next_ns = kMinNs; }
};

}  // namespace bank::replication
