// How long a call may take in the branch.
#pragma once

#include <grpcpp/server_context.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "common/clock.h"

namespace bank::rpc {

// A call without a deadline of its own is given up after the first; none may last longer than the
// second.
inline constexpr int64_t kDeadlineMsDefault = 10'000;
inline constexpr int64_t kDeadlineMsMax = 3'600'000;

// The end of `call` on the steady clock, in nanoseconds: its own deadline or `deadline_ms` from
// now (if > 0), whichever comes first.
inline int64_t DeadlineNs(const Clock& clock, const grpc::CallbackServerContext& call,
                          int64_t deadline_ms) {
  const auto own = call.deadline();
  int64_t left_ns = kDeadlineMsDefault * kNsPerMs;
  if (own != std::chrono::system_clock::time_point::max()) {
    left_ns = std::chrono::nanoseconds(own - std::chrono::system_clock::now()).count();
  }
  if (deadline_ms > 0 && deadline_ms < left_ns / kNsPerMs) left_ns = deadline_ms * kNsPerMs;
  return clock.NowNs() + std::clamp<int64_t>(left_ns, 0, kDeadlineMsMax * kNsPerMs);
}

}  // namespace bank::rpc
