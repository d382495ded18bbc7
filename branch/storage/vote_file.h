// VoteFile: what a branch has promised: its term and vote, and where it stands in a rebuild.
//
// Thread-safe: the engine's thread votes while the disk's thread may end a rebuild.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "branch/storage/dual_copy_file.h"
#include "branch/storage/entry.h"

namespace bank::storage {

enum class RebuildPhase : uint8_t {
  kNone = 0,
  kSettingAside = 1,  // damaged files are being moved away; the rest of the folder means nothing
  kWaiting = 2,       // began with an empty log; must not vote until the others have filled it
  kLost = 3,          // sound, but shown to lack what the branch had acknowledged
};

struct Promises {
  HardState hard_state;
  Term vote_floor;
  RebuildPhase phase = RebuildPhase::kNone;
  bool operator==(const Promises&) const = default;
};

class VoteFile {
 public:
  VoteFile(FileSystem& fs, const std::string& path, const Identity& identity);

  absl::Status Create(const Promises& promises);
  // DataLoss if the file is missing or neither copy is whole.
  absl::StatusOr<Promises> Load(std::vector<std::string>* notes);
  // All durable when they return. SetHardState refuses a lower term and a second vote in one term.
  absl::Status SetHardState(const HardState& state);
  absl::Status SetPhase(RebuildPhase phase);
  absl::Status FinishRebuild(Term vote_floor);
  // Writes both copies again: what was read may be in the page cache only.
  absl::Status Refresh();

 private:
  absl::Status StoreLocked(const Promises& promises);

  const std::string path_;
  std::mutex mutex_;  // guards all below
  DualCopyFile file_;
  Promises promises_;
  absl::Status failure_;  // the first one; every later write answers it
};

}  // namespace bank::storage
