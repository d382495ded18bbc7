// RedialPause: how long after the end of its stream a foreign server is dialled again. Pure.
#pragma once

#include <grpcpp/support/status_code_enum.h>

#include <algorithm>
#include <cstdint>

#include "common/clock.h"

namespace bank::telemetry {

class RedialPause {
 public:
  static constexpr int64_t kMinNs = kNsPerS / 4;
  static constexpr int64_t kMaxNs = 30 * kNsPerS;

  // Soon, if it was not there or the stream had stood for long; seldom, if it does not know the
  // method; else each time twice as late.
  int64_t After(grpc::StatusCode end, int64_t lasted_ns) {
    if (end == grpc::StatusCode::UNIMPLEMENTED) {
      pause_ns_ = kMaxNs;
    } else if (end == grpc::StatusCode::UNAVAILABLE || lasted_ns > kMaxNs) {
      pause_ns_ = kMinNs;
    } else {
      pause_ns_ = std::min(2 * pause_ns_, kMaxNs);
    }
    return pause_ns_;
  }

 private:
  int64_t pause_ns_ = kMinNs;
};

}  // namespace bank::telemetry
