// Performer: one customer; does the operations of one entry, in order.
#pragma once

#include <functional>
#include <string>

#include "course/script.h"
#include "customer/client/bank_client.h"
#include "customer/history/event.h"
#include "customer/replay/report.h"

namespace bank::replay {

// How the performer speaks with whoever started it.
struct Coordinator {
  // Called with every report, in order.
  std::function<void(const Report&)> tell;
  // Blocks until the next go; false: stop. Without one the performer never waits.
  std::function<bool()> await_go;
};

struct PerformOptions {
  bool barrier = false;                   // wait before the final queries (order converged)
  int64_t ready_ns_max = 30'000'000'000;  // for the branches to serve
  history::Freshness freshness = history::Freshness::kLinearizable;  // of queries
};

// Waits until the entry's branches serve, opens a session, performs. Returns the exit code; the
// last report is kDone or kFailed (none if it was told to stop). A ledger's refusal is an answer
// and the run goes on; an operation without an answer ends it.
int PerformEntry(const script::Entry& entry, client::BankClient& client, const Clock& clock,
                 const PerformOptions& options, const Coordinator& coordinator);

}  // namespace bank::replay
