// Storage: one branch's data folder: identity, vote, log and snapshots, every byte checksummed.
//
// Errors: anything but OK from a writing member means that nothing is known about what is on the
// disk; the branch must stop before it acknowledges anything, and be started again.
// Threads: WriteHardState() and PrepareSnapshot() may each run at the same time as the other
// members (the driver's thread votes and a snapshot is written while the disk's thread appends);
// the others one at a time. Formats, and how a torn tail is told from damage: docs/FORMATS.md
// (Alagappan et al., Protocol-Aware Recovery, FAST 2018).
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "branch/storage/entry.h"
#include "branch/storage/file_system.h"

namespace bank::storage {

struct StorageOptions {
  uint64_t segment_bytes = 64 << 20;  // a log file is ended when it reaches this size
  uint64_t grow_bytes = 1 << 20;      // and grows by at most so many zeros ahead of the entries
};

class Storage {
 public:
  virtual ~Storage() = default;

  // Durable when it returns. Refuses (Internal) a lower term, and another vote in the same term.
  virtual absl::Status WriteHardState(const HardState& state) = 0;

  // Writes entries at first, first+1, ...; what the log held from `first` on is replaced. Not
  // durable before Sync(); a power loss before that keeps all of this call or none of it. `first`
  // is at most one past the end, and after the newest snapshot.
  virtual absl::Status Append(LogIndex first, absl::Span<const Entry> entries) = 0;
  // All entries appended so far are durable when it returns.
  virtual absl::Status Sync() = 0;

  // A snapshot that this branch took of its own state is saved in two steps, because writing it may
  // take long. First its bytes are written, beside the log and a little at a time. When this
  // returns they are durable, but no part of the folder yet; the next one replaces them.
  virtual absl::Status PrepareSnapshot(const Snapshot& snapshot) = 0;
  // Then the one prepared last, which must be that of `index`, becomes the folder's snapshot; the
  // log stays. Durable when it returns. Its last entry must have been appended; everything appended
  // is durable then, too. One that is no newer than the one on disk is ignored.
  virtual absl::Status SaveSnapshot(LogIndex index) = 0;
  // Saves a snapshot received from the leader and empties the log, which then begins at index + 1.
  virtual absl::Status InstallSnapshot(const Snapshot& snapshot) = 0;
  // Notes durably that the branch has to be filled by the others before it votes or leads: from the
  // next start on Recovered::rebuilding is true. What is there stays. May run at the same time as
  // the other members, as WriteHardState().
  virtual absl::Status BeginRebuild() = 0;
  // Ends a rebuild, durably: from the next start on Recovered::rebuilding is false and
  // Recovered::vote_floor is `vote_floor`.
  virtual absl::Status FinishRebuild(Term vote_floor) = 0;

  // Notes durably that this folder lacks entries which the branch has acknowledged (it is an old
  // copy, or its disk lied): from now on opening it is DataLoss, until it is rebuilt. May run at
  // the same time as the other members, as WriteHardState().
  virtual absl::Status MarkLost() = 0;

  // Entries before `first` may be dropped (only those a snapshot on disk contains).
  virtual absl::Status TrimPrefix(LogIndex first) = 0;
};

struct OpenedStorage {
  std::unique_ptr<Storage> storage;
  Recovered recovered;
};

enum class OnDamage {
  kRefuse,   // DataLoss naming file, offset and what to do
  kRebuild,  // set the damaged folder's log and snapshot aside and start with an empty log: the
             // branch must not vote or lead until the others have brought it back
             // (docs/FORMATS.md). An empty folder counts as damaged: it may be what is left of a
             // wiped one, whose vote nobody knows. A sound one is not touched.
};

// Opens or makes the folder. Unavailable: locked by another process. FailedPrecondition: another
// identity's. DataLoss: an acknowledged record, a snapshot or the vote is damaged. A torn tail is
// cut and noted.
absl::StatusOr<OpenedStorage> OpenStorage(FileSystem& fs, const std::string& folder,
                                          const Identity& identity, const StorageOptions& options,
                                          OnDamage on_damage);

}  // namespace bank::storage
