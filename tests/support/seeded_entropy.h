// Entropy that tests can replay.
#pragma once

#include <mutex>
#include <random>

#include "common/entropy.h"

namespace bank {

class SeededEntropy final : public Entropy {
 public:
  explicit SeededEntropy(uint64_t seed = 1) : random_(seed) {}
  uint64_t Draw() override {
    std::lock_guard lock(mutex_);
    return random_();
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 random_;
};

}  // namespace bank
