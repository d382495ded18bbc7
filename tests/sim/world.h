// World: what all parts of one run share. One thread; lives as long as the run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/network.h"
#include "tests/sim/random.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/statistics.h"
#include "tests/sim/trace.h"

namespace bank::sim {

class BranchProcess;
class Auditor;
class Nemesis;

struct World {
  World(uint64_t seed, bool print_trace)
      : random(seed),
        trace(scheduler, print_trace),
        network(scheduler, trace, statistics, random.Fork()) {}

  // The first violation of an invariant; the run stops at the end of the step that found it.
  void Violate(std::string what) {
    trace.Note("VIOLATION");
    if (violation.empty()) violation = std::move(what);
  }
  bool violated() const { return !violation.empty(); }

  Scheduler scheduler;
  Statistics statistics;
  Random random;
  Trace trace;
  Network network;
  std::string violation;
  bool hears_lies = false;               // a stranger speaks in the branches' names
  Auditor* auditor = nullptr;            // set by Simulation, which owns it
  Nemesis* nemesis = nullptr;            // likewise
  std::vector<BranchProcess*> branches;  // likewise; branches[i] is branch i + 1
};

}  // namespace bank::sim
