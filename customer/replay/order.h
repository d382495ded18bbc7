// In which order the customers of an input act: who may be started and who may go on, and in which
// process.
//
// Pure. `sequential`: one after the other, as in the file. `concurrent`: all at once. `converged`:
// all at once, and the queries that end each entry wait until every entry's other operations are
// answered, so that all final queries see the same.
#pragma once

#include <cstddef>
#include <vector>

namespace bank::replay {

enum class Order { kSequential, kConverged, kConcurrent };

// Where a customer process is.
enum class Stage {
  kNotStarted,
  kStarting,
  kReady,  // waits for its first go
  kRunning,
  kWaiting,  // at the barrier, waits for its second go
  kFinishing,
  kDone,
  kFailed,
};

struct OrderLimits {
  size_t starting_max = 4;  // entries that start at the same time: more only compete for cores
  size_t ahead_max = 6;     // sequential: entries held ready for their turn
  // Up to so many entries have a process each. More of them share a few processes: all at once
  // means that they act at the same time, and a thousand processes start one after the other.
  size_t processes_max = 100;
  size_t processes_shared = 4;
};

// The entries of one process: from the first to the last number, both inclusive.
struct Share {
  size_t first = 0;
  size_t last = 0;

  bool operator==(const Share&) const = default;
};

// Every entry in one share, in order; the shares of a size that differs by one at most.
std::vector<Share> Divide(size_t entries, OrderLimits limits);

// Numbers of the customers to start now, in order.
std::vector<size_t> ToStart(Order order, const std::vector<Stage>& stages, OrderLimits limits);
// Numbers of the customers to send a go now.
std::vector<size_t> ToRelease(Order order, const std::vector<Stage>& stages);

}  // namespace bank::replay
