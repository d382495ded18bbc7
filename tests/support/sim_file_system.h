// SimFileSystem: a disk in memory that keeps exactly the promises of file_system.h and no others.
//
// Two views of every file: what a reader sees (the page cache) and what would survive a power loss
// (the platter). Sync() and SyncDirectory() carry over from the first to the second. A power loss
// keeps any subset of the 512-byte sectors that were not synced, in any of the versions they had
// since the last Sync(), and any subset of the names that were not synced; a sector itself never
// tears. A failed Sync() is remembered by nobody: the bytes it lost still read well until the power
// goes, and a later Sync() succeeds without them.
//
// Everything that chance decides comes from the seed: same seed and same calls, same outcome.
// One object is one machine's disk. Thread-safe. Files opened before a crash answer Unavailable.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "branch/storage/file_system.h"

namespace bank::sim {

inline constexpr uint64_t kSectorBytes = 512;

// The calls that faults are counted in. Closing and unlocking are no calls.
enum class DiskCall { kOpen, kRead, kWrite, kSync, kTruncate, kAllocate, kName, kSyncDirectory };

class SimFileSystem final : public storage::FileSystem {
 public:
  // File path to bytes.
  using Image = std::map<std::string, std::string>;

  explicit SimFileSystem(uint64_t seed) : random_(seed) {}
  // A disk that holds `image`, all of it synced.
  SimFileSystem(uint64_t seed, const Image& image);

  // --- storage::FileSystem ---
  absl::StatusOr<std::unique_ptr<storage::File>> Open(const std::string& path,
                                                      bool create) override;
  absl::StatusOr<std::string> ReadAll(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status MakeDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  absl::Status SyncDirectory(const std::string& directory) override;
  absl::StatusOr<std::unique_ptr<storage::FileLock>> Lock(const std::string& path) override;

  // --- crashes; afterwards the disk is on, locks are free, files opened before are dead ---

  // The machine loses power: decides what became of everything that was not synced.
  void PowerLoss();
  // Only the process dies: all that was written is still there, and still not synced.
  void KillProcess();

  // --- faults to come ---

  // The power goes in the middle of the (n+1)th call from now (0: the next one): that call is done
  // in part and it and all later ones answer Unavailable until PowerLoss() settles the state.
  void CutPowerAtCall(uint64_t n);
  // The (n+1)th call from now fails with `error`; a write or sync is then done in part (whole
  // sectors: file systems fail by blocks).
  void FailCall(uint64_t n, absl::Status error);
  // The next call of this kind fails with `error`.
  void FailNext(DiskCall kind, absl::Status error);
  // Bytes that all files together may have; writes beyond it are done in part and answer
  // ResourceExhausted. Can be raised later.
  void SetCapacity(uint64_t bytes);
  // No fault is to come any more: no planned failure, no limit. Does not turn the power on.
  void Heal();

  // --- damage at rest: both views change, as if the platter had decayed ---
  void FlipByte(const std::string& path, uint64_t offset, uint8_t mask);
  // A write the disk acknowledged and never made: the sectors read as zeros.
  void ZeroSectors(const std::string& path, uint64_t offset, uint64_t bytes);
  void LoseFile(const std::string& path);

  // --- looking at it ---
  uint64_t calls() const;  // made so far
  bool powered() const;
  uint64_t used_bytes() const;
  uint64_t unsynced_bytes(const std::string& path) const;
  std::vector<std::string> Files() const;  // paths, sorted
  Image Cached() const;                    // what a reader sees now
  std::string Content(const std::string& path) const;

 private:
  class OpenFile;
  class HeldLock;

  // One write since the last Sync(), widened to whole sectors as they were after it.
  struct Pending {
    uint64_t offset = 0;
    std::string sectors;
    std::optional<uint64_t> truncated_to;  // then it is no write
  };
  struct Node {
    std::string cached;
    std::string durable;
    std::vector<Pending> pending;
  };
  using NodePtr = std::shared_ptr<Node>;

  // A name made, moved or removed since its directories were last synced.
  struct NameChange {
    std::string removed;  // path, or empty
    std::string added;    // path, or empty
    NodePtr node;
  };

  // What becomes of the call that is beginning. OK: do it all. Otherwise do part of it and fail.
  absl::Status BeginCall(DiskCall kind);
  absl::Status CheckAlive(uint64_t life) const;

  absl::Status Write(Node& node, uint64_t offset, std::string_view bytes);
  absl::Status Sync(Node& node);
  absl::Status Truncate(Node& node, uint64_t size);
  absl::Status Allocate(Node& node, uint64_t size);

  void StoreCached(Node& node, uint64_t offset, std::string_view bytes);
  // Carries a share of the pending writes over to the durable bytes: every sector of each, with
  // the given chance in percent.
  void Settle(Node& node, unsigned percent);
  void ChangeName(NameChange change);
  static void Apply(std::map<std::string, NodePtr>& names, const NameChange& change);
  void EndLife();
  uint64_t UsedLocked() const;
  uint64_t Below(uint64_t bound) { return bound == 0 ? 0 : random_() % bound; }

  mutable std::mutex mutex_;  // guards all below
  std::mt19937_64 random_;
  std::map<std::string, NodePtr> names_;    // as a reader sees them
  std::map<std::string, NodePtr> durable_;  // as a power loss would leave them
  std::vector<NameChange> changes_;
  std::set<std::string> directories_;
  std::map<std::string, uint64_t> locks_;  // path to the lock's number
  uint64_t next_lock_ = 1;
  uint64_t life_ = 1;  // raised by each crash; files of an older life are dead
  bool powered_ = true;
  uint64_t calls_ = 0;
  std::optional<uint64_t> cut_at_call_;
  std::optional<uint64_t> fail_at_call_;
  absl::Status fail_error_;
  std::map<DiskCall, absl::Status> fail_next_;
  std::optional<uint64_t> capacity_;
};

}  // namespace bank::sim
