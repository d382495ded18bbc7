// How a stream between branches begins, and which of several streams of one sender counts. Pure.
#pragma once

#include <cstdint>
#include <deque>

#include "absl/status/status.h"
#include "bank/v1/cluster.pb.h"
#include "common/ids.h"

namespace bank::peers {

inline constexpr uint32_t kProtocol = 1;

v1::Hello MakeHello(uint64_t bank, BranchId self, BranchId receiver, uint64_t connection);

// FailedPrecondition, with one line for the own log, unless `hello` is from a branch of the same
// bank that means to speak to `self`. The line says what the caller must not learn: tell him
// ToldToCaller() of it.
absl::Status CheckHello(const v1::Hello& hello, uint64_t bank, BranchId self);

// What a caller is told of a refusal: the code, and no more of the reason than he knows himself.
absl::Status ToldToCaller(const absl::Status& refusal);

// A connection number is a process's own random half (its incarnation) and a counter from 1.
inline uint64_t ConnectionNumber(uint32_t incarnation, uint32_t counter) {
  return (uint64_t{incarnation} << 32) | counter;
}
inline uint32_t IncarnationOf(uint64_t connection) {
  return static_cast<uint32_t>(connection >> 32);
}

// Inclusive. A branch that redials forty-nine others for as long as it may gets here in 50 days,
// and goes on under another incarnation.
inline constexpr uint32_t kConnectionCounterMax = uint32_t{1} << 31;
inline bool IsConnectionNumber(uint64_t connection) {
  const auto counter = static_cast<uint32_t>(connection);
  return counter >= 1 && counter <= kConnectionCounterMax;
}

// Decides for one sender which streams are newer than the ones already seen: a greater counter of
// the same process, or a process never seen before. Nothing of an older stream may be taken after
// a newer one began (message.h).
class ConnectionOrder {
 public:
  // True if `connection` is newer than all admitted before; it then is the current one.
  bool Admit(uint64_t connection);
  uint64_t current() const { return current_; }  // 0: none yet

 private:
  uint64_t current_ = 0;
  // Incarnations that another one has followed, the newest last. Bounded.
  std::deque<uint32_t> ended_;
};

}  // namespace bank::peers
