// Pace: how many operations a worker may have under way. Pure.
//
// A call's deadline runs from when it was made, also while it waits its turn in this very program.
// So more calls than can be answered within it all end as unknown, are asked again, and keep the
// next ones waiting: nothing is answered any more by a bank that idles. A worker therefore begins
// with few and takes one more with every answer that comes soon, one less with every one that
// comes late.
#pragma once

#include <algorithm>
#include <cstdint>

namespace bank::load {

class Pace {
 public:
  static constexpr uint32_t kFew = 64;

  // Never more than `most` at a time. `attempt_ns`: how long one call may take.
  Pace(uint32_t most, int64_t attempt_ns)
      : most_(most), soon_ns_(attempt_ns / 8), late_ns_(attempt_ns / 4) {}

  bool HasRoom() const { return under_way_ < allowed_; }
  uint32_t allowed() const { return allowed_; }
  void Begin() { ++under_way_; }
  // An operation is settled, `took_ns` after its beginning.
  void End(int64_t took_ns) {
    --under_way_;
    if (took_ns <= soon_ns_) {
      allowed_ = std::min(allowed_ + 1, most_);
    } else if (took_ns > late_ns_) {
      allowed_ = std::max(allowed_ - 1, few_);
    }
  }

 private:
  const uint32_t most_;
  const int64_t soon_ns_;
  const int64_t late_ns_;
  const uint32_t few_ = std::min(kFew, most_);
  uint32_t allowed_ = few_;
  uint32_t under_way_ = 0;
};

}  // namespace bank::load
