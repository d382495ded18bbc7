// What a branch keeps on its disk: votes, log entries, snapshots. Plain values, no I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/ids.h"

namespace bank::storage {

// Numbers equal the engine's and stand in the log's bytes.
enum class EntryType : uint8_t { kCommand = 1, kBarrier = 2, kChange = 3 };

// Immutable once made; copies share the payload.
struct Entry {
  Term term;
  EntryType type = EntryType::kCommand;
  std::shared_ptr<const std::string> payload;  // never null
};

// Both survive a crash together, in one record.
struct HardState {
  Term term;
  BranchId vote;  // 0: none in this term
  bool operator==(const HardState&) const = default;
};

struct Snapshot {
  LogIndex index;  // the last entry it contains
  Term term;       // of that entry
  LogIndex configuration_index;
  std::string configuration;                 // the engine's bytes of the membership at `index`
  std::shared_ptr<const std::string> state;  // the ledger's bytes; never null
};

// Written once when a data folder is made; a folder with another identity is refused.
struct Identity {
  uint64_t bank = 0;  // number of the bank, derived from its founding configuration
  BranchId branch;
  bool operator==(const Identity&) const = default;
};

// What a disk held when the branch started.
struct Recovered {
  HardState hard_state;
  std::optional<Snapshot> snapshot;
  LogIndex first_index{1};  // of entries[0], also when there are none
  std::vector<Entry> entries;
  // No entry, no snapshot and no vote was ever written here: this branch has never taken part (but
  // hard_state may hold a term already).
  bool fresh = false;
  // This branch lost what it had acknowledged and is being brought back: it must not vote or lead
  // until it holds everything that was committed when a leader first spoke to it.
  bool rebuilding = false;
  Term vote_floor;  // never vote in this term or an earlier one: that vote may have been lost
  std::vector<std::string> notes;  // one line per repair made, such as a torn tail that was cut
};

}  // namespace bank::storage
