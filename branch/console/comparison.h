// Comparison: do the branches hold the same money? PURE.
//
// A branch's digest covers all accounts and sessions, and the total with them. Two branches are
// compared where both have applied the same log entries: at their newest entry, or at a checkpoint
// (replication/replicator.h), which lie at the same entries on all branches. So branches can be
// compared while they work. What was once found different stays so.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "branch/replication/replicator.h"
#include "common/ids.h"

namespace bank::console {

enum class Agreement {
  kUnknown,  // nothing to compare yet
  kHolds,    // equal on all branches
  kPartial,  // equal, but not all branches take part
  kBroken,   // two branches differ at one entry
};

struct Compared {
  Agreement agreement = Agreement::kUnknown;
  std::string detail;  // one line
};

class Comparison {
 public:
  struct Branch {
    BranchId id;
    bool live = false;
    const replication::ReplicatorStatus* status = nullptr;  // nullptr: unknown
  };

  // `branches`: all members, as they are now.
  Compared Compare(const std::vector<Branch>& branches);

 private:
  void Note(const Branch& branch, uint64_t index, uint64_t digest);

  std::map<uint64_t, std::map<BranchId, uint64_t>> by_index_;  // the newest kIndexesMax
  std::string broken_;                                         // how, once it was seen
};

}  // namespace bank::console
