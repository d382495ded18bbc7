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

inline constexpr std::string_view kSnapshotTemporaryName = "snapshot.tmp";

std::string SnapshotName(LogIndex index);
// Nothing if `name` is no snapshot's.
std::optional<LogIndex> ParseSnapshotName(std::string_view name);

// Durable when it returns.
absl::Status SaveSnapshotFile(FileSystem& fs, const std::string& folder, const Identity& identity,
                              const Snapshot& snapshot);
// DataLoss naming file and offset: anything in it is not as it was written.
absl::StatusOr<Snapshot> LoadSnapshotFile(FileSystem& fs, const std::string& folder,
                                          const Identity& identity, LogIndex index);

}  // namespace bank::storage
