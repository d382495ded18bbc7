// Trace: what happened, as lines for a reader and as one digest for comparing two runs of a seed.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string_view>

#include "tests/sim/scheduler.h"

namespace bank::sim {

class Trace {
 public:
  Trace(const Scheduler& scheduler, bool print) : scheduler_(scheduler), print_(print) {}

  bool printing() const { return print_; }

  void Note(std::string_view what, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
    Mix(static_cast<uint64_t>(scheduler_.now()));
    for (const char ch : what) digest_ = (digest_ ^ static_cast<uint8_t>(ch)) * 0x100000001b3;
    Mix(a);
    Mix(b);
    Mix(c);
    if (!print_) return;
    printf("%11.3f ms  %-24.*s %llu %llu %llu\n", static_cast<double>(scheduler_.now()) / 1000.0,
           static_cast<int>(what.size()), what.data(), static_cast<unsigned long long>(a),
           static_cast<unsigned long long>(b), static_cast<unsigned long long>(c));
  }

  uint64_t digest() const { return digest_; }

 private:
  void Mix(uint64_t v) { digest_ = (digest_ ^ v) * 0x9fb21c651e98df25 + (digest_ >> 29); }

  const Scheduler& scheduler_;
  bool print_;
  uint64_t digest_ = 0xcbf29ce484222325;
};

}  // namespace bank::sim
