// Random: the only source of chance in the simulation. The same seed gives the same numbers on
// every machine (no std:: distribution, whose results are the library's own choice).
#pragma once

#include <cstdint>
#include <vector>

namespace bank::sim {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 0x2545f4914f6cdd1d) {}

  // splitmix64
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint64_t Below(uint64_t n) { return Next() % n; }  // [0, n), n > 0
  int64_t Between(int64_t low, int64_t high) {       // both inclusive
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
  }
  bool Permille(uint64_t p) { return Below(1000) < p; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  template <class T>
  const T& Pick(const std::vector<T>& from) {
    return from[Below(from.size())];
  }
  // An independent stream: what one part draws does not move what another part gets.
  Random Fork() { return Random(Next()); }

 private:
  uint64_t state_;
};

}  // namespace bank::sim
