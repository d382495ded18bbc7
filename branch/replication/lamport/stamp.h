// Stamp: a write's place in the one total order, as in Lamport 1978 (Time, Clocks, and the Ordering
// of Events in a Distributed System, section "Ordering the Events Totally").
//
// The exercise's clock ticks for what the exercise has an event for: a deposit or a withdrawal. A
// bank writes more than that (it opens accounts and sessions). Such a write takes a place between
// two ticks, by a second, minor clock that follows the same rules. So does a write whose tick is
// not above what its branch has promised. The events' clocks are those that the exercise asks for,
// and the order of the stamps never contradicts what happened before what.
#pragma once

#include <compare>
#include <cstdint>

#include "common/ids.h"

namespace bank::replication::lamport {

struct Stamp {
  uint64_t clock = 0;
  uint64_t minor = 0;  // 0: a tick of the clock
  BranchId branch;     // the one that took the write
  auto operator<=>(const Stamp&) const = default;
};

// A clock that a message names may be this far ahead of the receiver's own; above it is refused.
inline constexpr uint64_t kClockJumpMax = uint64_t{1} << 32;

}  // namespace bank::replication::lamport
