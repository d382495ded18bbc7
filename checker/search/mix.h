// Mix: scatters 64 bits, so that sums and sets of few values look random (splitmix64, Steele and
// others 2014). Pure.
#pragma once

#include <cstdint>

namespace bank::checker {

inline uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace bank::checker
