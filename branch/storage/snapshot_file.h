// Snapshot files: one per snapshot, `snapshot-INDEX`, complete and durable as soon as the name is
// there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "branch/storage/entry.h"
#include "branch/storage/file_system.h"

namespace bank::storage {

// Whose state it is: the two may be written at the same time.
enum class SnapshotOrigin {
  kTaken,     // this branch's own
  kReceived,  // the leader's
};

std::string SnapshotName(LogIndex index);
// Nothing if `name` is no snapshot's.
std::optional<LogIndex> ParseSnapshotName(std::string_view name);

// Durable when it returns, under a temporary name of its origin, replacing what has that name.
// Synced piece by piece, so that a log on the same disk does not wait for all of it.
absl::Status WriteSnapshotFile(FileSystem& fs, const std::string& folder, SnapshotOrigin origin,
                               const Identity& identity, const Snapshot& snapshot);
// Gives what was written its name, durably.
absl::Status NameSnapshotFile(FileSystem& fs, const std::string& folder, SnapshotOrigin origin,
                              LogIndex index);
// DataLoss naming file and offset: anything in it is not as it was written.
absl::StatusOr<Snapshot> LoadSnapshotFile(FileSystem& fs, const std::string& folder,
                                          const Identity& identity, LogIndex index);

}  // namespace bank::storage
