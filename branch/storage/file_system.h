// The disk as the storage code sees it: real, or simulated with power loss, damage and errors.
//
// The contract is that of POSIX and no more: written bytes survive a power loss only after the
// file's Sync(); a created, renamed or removed name only after SyncDirectory() of its folder; bytes
// not synced may be there, not there, or there in part, in any order of sectors.
// Thread-safe across files; one thread at a time per file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bank::storage {

class File {
 public:
  virtual ~File() = default;
  // Writes all of `bytes` at `offset`, or fails; after a failure what was written is undefined.
  virtual absl::Status WriteAt(uint64_t offset, std::string_view bytes) = 0;
  // fdatasync. After an error nothing about unsynced bytes is known, for ever: stop the branch.
  virtual absl::Status Sync() = 0;
  virtual absl::Status Truncate(uint64_t size) = 0;
  // Reserves blocks so that later writes below `size` need no metadata; the file reads as zeros
  // there.
  virtual absl::Status Allocate(uint64_t size) = 0;
  virtual absl::StatusOr<uint64_t> Size() const = 0;
};

// A held lock; destroying it releases the lock.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Opens for reading and writing; `create` makes it if it is not there.
  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, bool create) = 0;
  virtual absl::StatusOr<std::string> ReadAll(const std::string& path) = 0;  // NotFound
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  // With parents; OK if there. Durable when it returns.
  virtual absl::Status MakeDirectory(const std::string& path) = 0;
  virtual absl::StatusOr<std::vector<std::string>> List(
      const std::string& directory) = 0;  // names, sorted
  virtual absl::Status SyncDirectory(const std::string& directory) = 0;
  // Makes the file and locks it against every other process and every other lock of this one, until
  // the lock is destroyed or the process ends. FailedPrecondition at once if someone holds it.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
};

}  // namespace bank::storage
