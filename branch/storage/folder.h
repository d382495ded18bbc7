// Folder: a data folder as a set of files: how it is made, and how a damaged one is set aside.
//
// Every step can be cut short by a power loss and is taken up again by the next Prepare().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "branch/storage/entry.h"
#include "branch/storage/file_system.h"
#include "branch/storage/log.h"

namespace bank::storage {

inline constexpr std::string_view kLockName = "LOCK";
inline constexpr std::string_view kIdentityName = "identity";
inline constexpr std::string_view kVoteName = "vote";
inline constexpr std::string_view kTemporarySuffix = ".tmp";

class Folder {
 public:
  // The folder is there and locked.
  Folder(FileSystem& fs, std::string path, const Identity& identity, const LogOptions& options);

  // Makes the files of a new folder, or checks whose folder it is and makes the promises it read
  // durable; goes on with setting aside if that was cut short. A note for each repair.
  // FailedPrecondition: another branch's. DataLoss: the identity is damaged or missing, or the vote
  // is.
  absl::Status Prepare(std::vector<std::string>* notes);

  // Moves log and snapshots, and the vote and identity if they cannot be read, into a new
  // `damaged-N` folder, whose path it returns, and begins an empty log that waits to be rebuilt.
  absl::StatusOr<std::string> SetAside();

 private:
  std::string PathOf(std::string_view name) const;
  absl::Status CheckIdentity() const;
  absl::Status WriteIdentity();
  absl::StatusOr<bool> NeverUsed(const std::vector<std::string>& names);
  absl::StatusOr<std::string> MakeDamagedFolder(const std::vector<std::string>& names);
  absl::Status MoveAndBegin(const std::string& aside);

  FileSystem& fs_;
  const std::string path_;
  const Identity identity_;
  const LogOptions options_;
};

}  // namespace bank::storage
