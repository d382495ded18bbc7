// The hash under all digests of the ledger: XXH3, 64 bits, over bytes or little-endian words.
//
// Digests find branches that have drifted apart; they do not protect against forgery. Seeds keep
// the domains apart: equal bytes of different meaning must not cancel out in a sum.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace bank::ledger {

static_assert(std::endian::native == std::endian::little, "digests are over little-endian words");

enum class Domain : uint64_t { kName = 1, kAccount = 2, kSession = 3, kRemembered = 4, kTag = 5 };

inline uint64_t DigestBytes(std::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

template <class... Words>
uint64_t DigestWords(Domain domain, Words... words) {
  const uint64_t row[] = {static_cast<uint64_t>(words)...};
  return XXH3_64bits_withSeed(row, sizeof(row), static_cast<uint64_t>(domain));
}

}  // namespace bank::ledger
