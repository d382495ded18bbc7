// Auditor: sees every branch at every step and holds what must be true of all of them together.
//
//   - at most one leader a term, for all time;
//   - one index, one entry: what any branch applies at an index is what every branch applies there;
//   - equal applied index, equal ledger: digests of state and history, positions, totals;
//   - one term and index, one entry, also among those not yet committed (log matching);
//   - an applied index, a commit index or a term never goes back while a process lives.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "branch/ledger/ledger.h"
#include "branch/replication/replicator.h"
#include "common/ids.h"
#include "tests/sim/entry_id.h"
#include "tests/sim/world.h"

namespace bank::sim {

class Auditor {
 public:
  explicit Auditor(World& world) : world_(world) {}

  void OnLeader(BranchId branch, Term term);
  void OnWritten(BranchId branch, LogIndex first, const std::vector<storage::Entry>& entries);
  void OnApplied(BranchId branch, LogIndex index, const EntryId& entry);
  void OnLedger(BranchId branch, LogIndex applied, const ledger::Summary& summary);
  void OnProgress(BranchId branch, const replication::ReplicatorStatus& before,
                  const replication::ReplicatorStatus& now);

  // What was applied, in order, and by whom does not matter: [i] is entry i + 1. Empty payloads:
  // the bootstrap, and whatever is no command.
  std::vector<std::string> Applied() const;

 private:
  World& world_;
  std::map<Term, BranchId> leaders_;
  struct Written {
    uint64_t content = 0;                         // payload hash and type, mixed
    std::shared_ptr<const std::string> commands;  // null if it is none
  };
  std::map<std::pair<Term, LogIndex>, Written> written_;
  std::vector<EntryId> applied_;  // [i] is index i + 1; term 0: not seen
  std::map<LogIndex, ledger::Summary> ledgers_;
};

}  // namespace bank::sim
