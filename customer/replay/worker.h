// Worker: one process of a replay: performs its entries of the input as the conductor says.
//
// The conductor writes lines to its standard input: "start K" (connect, open a session, say that
// entry K is ready) and "go K". What becomes of each entry comes back as reports (report.h). Every
// entry has a thread of its own, because all of them may have to act at once. When its standard
// input ends, entries that wait for a "go" do not get it, and those under way come to their end.
#pragma once

#include <cstddef>
#include <functional>
#include <iosfwd>

#include "customer/replay/order.h"
#include "customer/replay/performer.h"

namespace bank::replay {

// Performs the entry of this number, counted from 0, to its end. Runs on several threads.
using PerformNumber = std::function<void(size_t number, const Coordinator& coordinator)>;

// Returns when `commands` has ended and every entry that was started is over. Reports are written
// whole and one at a time; nobody else may write to `reports`. A line that is no command, and one
// of an entry that is not in `share`, is ignored.
void RunWorker(Share share, const PerformNumber& perform, std::istream& commands,
               std::ostream& reports);

}  // namespace bank::replay
