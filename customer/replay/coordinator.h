// Starts the processes of the customers (order.h), lets the entries act in the order asked for,
// collects answers.
//
// Does no gRPC of its own: it only starts processes and waits on their pipes, so a process starts
// while others work and no moment is slept away. One thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/exit_code.h"
#include "course/script.h"
#include "customer/replay/order.h"
#include "customer/script/answers.h"

namespace bank::replay {

struct ConductResult {
  int exit_code = kExitOk;                    // of the first customer that failed
  std::string reason;                         // one line, if one did
  std::vector<script::EntryAnswers> entries;  // complete if kExitOk
};

struct ConductOptions {
  Order order = Order::kSequential;
  OrderLimits limits = {};
  // The command line of the process (task_queue.h) of these entries; [0] is the program.
  std::function<std::vector<std::string>(Share share)> command;
  // Called with every answer, in the order of the input.
  std::function<void(uint64_t customer, const script::Answer& answer)> show;
};

// Returns when all processes it started have ended. When one fails, those that have not begun are
// told to stop; those under way come to their end.
ConductResult Conduct(const std::vector<script::Entry>& entries, const ConductOptions& options);

}  // namespace bank::replay
