// Simulation: one run of a whole bank, decided by its seed: branches, customers, faults, the heal,
// and the judgement.
#pragma once

#include <cstdint>
#include <string>

#include "tests/sim/scheduler.h"
#include "tests/sim/statistics.h"

namespace bank::sim {

struct SimulationOptions {
  uint64_t seed = 1;
  uint64_t branches = 0;    // 0: the seed decides among 1, 3, 5 and 7
  uint32_t guards_off = 0;  // bit K: guard K of the engine does nothing
  bool reorders = false;    // messages overtake each other and come twice, against the contract
  bool trace = false;       // prints what happens
};

struct SimulationResult {
  std::string violation;  // empty: all held
  Statistics statistics;
  uint64_t digest = 0;  // of the trace: the same in every run of a seed
  SimTime simulated = 0;
};

SimulationResult Simulate(const SimulationOptions& options);

}  // namespace bank::sim
