// DualCopyFile: a small record kept twice, each copy in a sector of its own and checksummed.
//
// Write() puts one copy on the disk, durably, before it touches the other, so one of them is whole
// at any moment, whatever a power loss tears. When Write() has returned, both copies hold the
// record: one damaged copy never hides it, and the newest whole copy is always the one to use.
// Files: a branch's vote, and the mark of how far its log is durable. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "branch/storage/entry.h"
#include "branch/storage/file_system.h"

namespace bank::storage {

inline constexpr uint64_t kDualCopyRecordBytesMax = 440;

class DualCopyFile {
 public:
  // `purpose`, 8 bytes, keeps files of different meaning apart.
  DualCopyFile(FileSystem& fs, std::string path, const Identity& identity,
               std::string_view purpose);

  // Makes the file, or overwrites it. The name is durable after a SyncDirectory().
  absl::Status Create(std::string_view record);
  // The newest whole copy. DataLoss if neither is whole. A note for a copy that is not: the next
  // Write() mends it.
  absl::StatusOr<std::string> Load(std::vector<std::string>* notes);
  // Durable when it returns.
  absl::Status Write(std::string_view record);
  // Durable some time later, or never; what Write() wrote stays until then.
  absl::Status WriteLazily(std::string_view record);

 private:
  std::string EncodeCopy(int copy, std::string_view record) const;
  uint32_t Checksum(int copy, std::string_view sector) const;
  absl::Status WriteCopy(int copy, std::string_view record);

  FileSystem& fs_;
  const std::string path_;
  const std::string place_;  // what the checksums are bound to
  std::unique_ptr<File> file_;
  uint64_t version_ = 0;
};

}  // namespace bank::storage
