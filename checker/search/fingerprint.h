// Fingerprint: what a search remembers of where it has been. Plain value.
#pragma once

#include <cstdint>
#include <utility>

#include "checker/search/mix.h"

namespace bank::checker {

// A set, as 128 random bits: two different ones collide with a probability below 1e-24 for all that
// a budget allows.
class Fingerprint {
 public:
  // Adds the value, or takes it out.
  void Toggle(uint64_t value) {
    high_ ^= Mix(value * 2 + 1);
    low_ ^= Mix(~value * 2);
  }
  std::pair<uint64_t, uint64_t> pair() const { return {high_, low_}; }

 private:
  uint64_t high_ = 0;
  uint64_t low_ = 0;
};

}  // namespace bank::checker
