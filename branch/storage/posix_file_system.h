// PosixFileSystem: the operating system's files behind file_system.h.
//
// Every error names the path and the system's words for it. Short writes and interrupted calls are
// finished here; nothing else is retried, a failed fdatasync least of all. ENOSPC and EDQUOT are
// ResourceExhausted, a missing file NotFound, an unreadable block DataLoss, anything else the
// closest code of abseil's table.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "branch/storage/file_system.h"

namespace bank::storage {

class PosixFileSystem final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, bool create) override;
  absl::StatusOr<std::string> ReadAll(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status MakeDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  absl::Status SyncDirectory(const std::string& directory) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
};

}  // namespace bank::storage
