// The strong types that name things everywhere. Mixing two of them does not compile.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace bank {

// An integer with a meaning. `value` is public on purpose: conversions are explicit, not hidden.
template <class Tag>
struct StrongId {
  uint64_t value = 0;

  constexpr StrongId() = default;
  constexpr explicit StrongId(uint64_t v) : value(v) {}
  auto operator<=>(const StrongId&) const = default;

  constexpr StrongId Next() const { return StrongId(value + 1); }
  constexpr StrongId Plus(uint64_t n) const { return StrongId(value + n); }

  template <class H>
  friend H AbslHashValue(H h, StrongId id) {
    return H::combine(std::move(h), id.value);
  }
};

// A branch's number in its bank, from 1, for all time; 0 is "none". An address is not an identity.
using BranchId = StrongId<struct BranchIdTag>;
// As its field on the wire, and as the ids of the exercise's inputs.
inline constexpr uint64_t kBranchIdMax = UINT32_MAX;
// Leader epoch of the consensus engine, from 1.
using Term = StrongId<struct TermTag>;
// Position of an entry in the engine's log, from 1; 0 is "before the log". An entry holds a batch.
using LogIndex = StrongId<struct LogIndexTag>;
// Position of one write in the bank's total order, from 1, dense; 0 is "before the first write".
// It is what a customer's receipt names.
using Position = StrongId<struct PositionTag>;
// A session: bits that a branch drew at random, so that nobody else can name it. 0 is "no session".
using SessionId = StrongId<struct SessionIdTag>;
// Who opened a session, as a tag: equal for all sessions of one certificate or one connection. 0 is
// "not known", and is one owner like any other.
using SessionOwner = StrongId<struct SessionOwnerTag>;

}  // namespace bank
