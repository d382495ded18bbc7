// In which order the customers of an input act: who may be started and who may go on.
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
  size_t starting_max = 4;  // processes that start at the same time: more only compete for cores
  size_t ahead_max = 6;     // sequential: processes held ready for their turn
};

// Numbers of the customers to start now, in order.
std::vector<size_t> ToStart(Order order, const std::vector<Stage>& stages, OrderLimits limits);
// Numbers of the customers to send a go now.
std::vector<size_t> ToRelease(Order order, const std::vector<Stage>& stages);

}  // namespace bank::replay
