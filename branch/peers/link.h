// What the links to one peer share.
#pragma once

#include <cstdint>
#include <memory>

#include "bank/v1/cluster.grpc.pb.h"
#include "branch/peers/connection_numbers.h"
#include "common/clock.h"
#include "common/ids.h"
#include "net/wait_group.h"

namespace bank::peers {

using net::WaitGroup;

// One peer as its links see it. Immutable but for what it points to; outlives every reactor.
struct LinkContext {
  uint64_t bank = 0;
  BranchId self;
  BranchId peer;
  const Clock* clock = nullptr;
  std::unique_ptr<v1::Cluster::Stub> stub;
  ConnectionNumbers* numbers = nullptr;
  WaitGroup* wait_group = nullptr;
};

// After a stream broke, the peer is left alone this long. The channel below has its own backoff,
// from 100 ms to 1 s (net/channel.h).
inline constexpr int64_t kRedialNs = 100'000'000;

}  // namespace bank::peers
