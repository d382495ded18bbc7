// What the rooms of replication share: the options of a branch's driver, and a callback.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "branch/ledger/ledger.h"
#include "branch/replication/member.h"
#include "common/ids.h"

namespace bank::replication {

struct DriverOptions {
  BranchId self;
  // The bootstrap configuration: the same on every branch, also on those that join later.
  std::vector<Member> initial_members;
  uint64_t seed = 1;  // of election jitter: must differ between branches
  uint32_t election_timeout_ms = 1000;
  uint32_t heartbeat_ms = 100;
  uint32_t snapshot_timeout_ms = 3000;
  uint32_t inflight_entries_max = 64;  // per follower
  uint32_t entries_open_max = 4;       // entries of ours not yet committed (group commit)
  uint32_t entry_commands_max = 8192;  // a batch larger than this closes the entry
  uint32_t entry_linger_ms = 2;        // see Proposals::WantsCut; 0: never waits
  uint32_t entry_bytes_max = 1 << 20;
  uint32_t message_bytes_max = 2 << 20;  // AppendEntries with more payload is sent in pieces
  uint64_t snapshot_every_entries = 50'000;
  uint64_t trailing_entries = 10'000;  // kept below a snapshot; must exceed inflight_entries_max
  uint64_t proposals_bytes_max = 64 << 20;  // waiting ones; above that Propose answers not_applied
  ledger::Limits ledger_limits;
  uint32_t engine_guards_off = 0;  // tests only: bit K switches guard K of core.c off
};

// The engine's commit index, confirmed by a quorum; or why there is none.
using ReadIndexCallback = absl::AnyInvocable<void(absl::StatusOr<LogIndex>)>;

}  // namespace bank::replication
