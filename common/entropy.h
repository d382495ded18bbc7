// Entropy: bits that nobody can guess. An interface, so that a simulation replays from its seed.
#pragma once

#include <cstdint>

namespace bank {

class Entropy {
 public:
  virtual ~Entropy() = default;
  // 64 random bits. Thread-safe.
  virtual uint64_t Draw() = 0;
};

// The operating system's. Stops the process if the system has none.
class OsEntropy final : public Entropy {
 public:
  uint64_t Draw() override;
};

}  // namespace bank
