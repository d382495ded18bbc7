#include "branch/storage/storage.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "branch/storage/damage.h"
#include "branch/storage/folder.h"
#include "branch/storage/log.h"
#include "branch/storage/snapshot_file.h"
#include "branch/storage/vote_file.h"
#include "common/planted.h"

namespace bank::storage {
namespace {

class FolderStorage final : public Storage {
 public:
  FolderStorage(FileSystem& fs, const std::string& folder, const Identity& identity,
                const LogOptions& options)
      : fs_(fs),
        folder_(folder),
        identity_(identity),
        vote_(fs, fmt::format("{}/{}", folder, kVoteName), identity),
        log_(fs, folder, identity, options) {}

  void Hold(std::unique_ptr<FileLock> lock) { lock_ = std::move(lock); }

  // `notes`: of what was repaired before.
  absl::StatusOr<Recovered> Load(std::vector<std::string> notes) {
    Recovered recovered;
    recovered.notes = std::move(notes);
    const absl::StatusOr<Promises> promises = vote_.Load(&recovered.notes);
    if (!promises.ok()) return promises.status();
    if (promises->phase == RebuildPhase::kLost) {
      return Damage(fmt::format("{}/{}", folder_, kVoteName), 0,
                    "the branch has noted here that this folder lacks entries it had acknowledged");
    }
    recovered.hard_state = promises->hard_state;
    recovered.vote_floor = promises->vote_floor;
    recovered.rebuilding = promises->phase == RebuildPhase::kWaiting;

    const absl::StatusOr<std::vector<std::string>> names = fs_.List(folder_);
    if (!names.ok()) return names.status();
    if (absl::Status loaded = LoadSnapshot(*names, &recovered); !loaded.ok()) return loaded;
    absl::StatusOr<LoggedEntries> log = log_.Load(*names, &recovered.notes);
    if (!log.ok()) return log.status();
    if (absl::Status joined = Join(*std::move(log), &recovered); !joined.ok()) return joined;
    if (absl::Status removed = RemoveLeftovers(*names); !removed.ok()) return removed;
    return recovered;
  }

  absl::Status WriteHardState(const HardState& state) override { return vote_.SetHardState(state); }

  absl::Status Append(LogIndex first, absl::Span<const Entry> entries) override {
    return Remember([&] { return log_.Append(first, entries); });
  }

  absl::Status Sync() override {
    if (IsPlanted(Planted::kAckBeforeSync)) return absl::OkStatus();
    return Remember([&] { return log_.Sync(); });
  }

  absl::Status PrepareSnapshot(const Snapshot& snapshot) override {
    prepared_ = 0;
    absl::Status written =
        WriteSnapshotFile(fs_, folder_, SnapshotOrigin::kTaken, identity_, snapshot);
    if (written.ok()) prepared_ = snapshot.index.value;
    return written;
  }

  absl::Status SaveSnapshot(LogIndex index) override {
    return Remember([&]() -> absl::Status {
      if (index <= log_.required_snapshot()) return absl::OkStatus();
      if (index >= log_.next_index()) {
        return absl::InvalidArgumentError(fmt::format(
            "a snapshot at {} of a log that ends before {}", index.value, log_.next_index().value));
      }
      if (const uint64_t prepared = prepared_.exchange(0); prepared != index.value) {
        return absl::InvalidArgumentError(
            fmt::format("saving the snapshot at {}, and prepared is {}", index.value, prepared));
      }
      // Its entries are not asked for again once the snapshot is required.
      if (absl::Status synced = log_.Sync(); !synced.ok()) return synced;
      return AdoptSnapshot(SnapshotOrigin::kTaken, index);
    });
  }

  absl::Status InstallSnapshot(const Snapshot& snapshot) override {
    return Remember([&]() -> absl::Status {
      if (snapshot.index < log_.required_snapshot()) {
        return absl::InvalidArgumentError(fmt::format("installing a snapshot at {} over one at {}",
                                                      snapshot.index.value,
                                                      log_.required_snapshot().value));
      }
      if (snapshot.index > log_.required_snapshot()) {
        absl::Status stored =
            WriteSnapshotFile(fs_, folder_, SnapshotOrigin::kReceived, identity_, snapshot);
        if (stored.ok()) stored = AdoptSnapshot(SnapshotOrigin::kReceived, snapshot.index);
        if (!stored.ok()) return stored;
      }
      if (absl::Status reset = log_.Reset(snapshot.index.Next()); !reset.ok()) return reset;
      return log_.TrimPrefix(snapshot.index.Next());
    });
  }

  absl::Status BeginRebuild() override { return vote_.SetPhase(RebuildPhase::kWaiting); }

  absl::Status FinishRebuild(Term vote_floor) override { return vote_.FinishRebuild(vote_floor); }

  absl::Status MarkLost() override { return vote_.SetPhase(RebuildPhase::kLost); }

  absl::Status TrimPrefix(LogIndex first) override {
    return Remember([&] { return log_.TrimPrefix(first); });
  }

 private:
  // After a failure nothing is known about the disk: every later call answers the same.
  template <class Action>
  absl::Status Remember(Action action) {
    if (failure_.ok()) failure_ = action();
    return failure_;
  }

  absl::Status LoadSnapshot(const std::vector<std::string>& names, Recovered* recovered) {
    for (const std::string& name : names) {  // sorted: the last one is the newest
      if (const std::optional<LogIndex> index = ParseSnapshotName(name)) newest_snapshot_ = *index;
    }
    if (newest_snapshot_.value == 0) return absl::OkStatus();
    absl::StatusOr<Snapshot> snapshot = LoadSnapshotFile(fs_, folder_, identity_, newest_snapshot_);
    if (!snapshot.ok()) return snapshot.status();
    recovered->snapshot = *std::move(snapshot);
    return absl::OkStatus();
  }

  // Brings log and snapshot together, or finds that one of them is missing.
  absl::Status Join(LoggedEntries log, Recovered* recovered) {
    const LogIndex index = newest_snapshot_;
    if (index < log_.required_snapshot() || log.first_index > index.Next()) {
      const LogIndex missing =
          std::max(log_.required_snapshot(), LogIndex(log.first_index.value - 1));
      return Damage(fmt::format("{}/{}", folder_, SnapshotName(missing)), 0,
                    "this snapshot, or a newer one, is missing");
    }
    if (index > log_.required_snapshot()) {
      if (absl::Status marked = log_.RequireSnapshot(index); !marked.ok()) return marked;
    }
    if (recovered->snapshot && !ContinuesSnapshot(log, *recovered->snapshot)) {
      // Cut short between installing the snapshot and emptying the log.
      recovered->notes.push_back(
          fmt::format("{}: dropped log entries {} to {}, which the snapshot at {} replaces",
                      folder_, log.first_index.value, log.NextIndex().value - 1, index.value));
      if (absl::Status reset = log_.Reset(index.Next()); !reset.ok()) return reset;
      log.entries.clear();
      log.first_index = index.Next();
    }
    recovered->first_index = log.first_index;
    recovered->entries = std::move(log.entries);
    recovered->fresh = log.never_written && !recovered->snapshot && !recovered->rebuilding &&
                       recovered->hard_state.vote.value == 0 && recovered->vote_floor.value == 0;
    return absl::OkStatus();
  }

  static bool ContinuesSnapshot(const LoggedEntries& log, const Snapshot& snapshot) {
    if (log.NextIndex() <= snapshot.index) return false;
    if (log.first_index > snapshot.index) return true;  // it begins right behind it
    return log.entries[snapshot.index.value - log.first_index.value].term == snapshot.term;
  }

  // Makes the written file the folder's snapshot.
  absl::Status AdoptSnapshot(SnapshotOrigin origin, LogIndex index) {
    absl::Status named = NameSnapshotFile(fs_, folder_, origin, index);
    if (!named.ok()) return named;
    if (absl::Status marked = log_.RequireSnapshot(index); !marked.ok()) return marked;
    const LogIndex older = std::exchange(newest_snapshot_, index);
    if (older.value == 0) return absl::OkStatus();
    return fs_.Remove(fmt::format("{}/{}", folder_, SnapshotName(older)));
  }

  absl::Status RemoveLeftovers(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const std::optional<LogIndex> snapshot = ParseSnapshotName(name);
      if (!name.ends_with(kTemporarySuffix) && (!snapshot || *snapshot == newest_snapshot_)) {
        continue;
      }
      absl::Status removed = fs_.Remove(fmt::format("{}/{}", folder_, name));
      if (!removed.ok()) return removed;
    }
    return absl::OkStatus();
  }

  FileSystem& fs_;
  const std::string folder_;
  const Identity identity_;
  std::unique_ptr<FileLock> lock_;
  VoteFile vote_;
  Log log_;
  LogIndex newest_snapshot_;           // 0: none
  std::atomic<uint64_t> prepared_{0};  // index of the snapshot that waits to be saved; 0: none
  absl::Status failure_;
};

absl::Status WithAdvice(const absl::Status& damage) {
  return absl::DataLossError(fmt::format(
      "{}. Put the file back as it was when the branch last stopped, or start the branch once with "
      "--rebuild to set the damaged files aside and be filled by the others",
      std::string(damage.message())));
}

}  // namespace

absl::StatusOr<OpenedStorage> OpenStorage(FileSystem& fs, const std::string& folder,
                                          const Identity& identity, const StorageOptions& options,
                                          OnDamage on_damage) {
  if (absl::Status made = fs.MakeDirectory(folder); !made.ok()) return made;
  absl::StatusOr<std::unique_ptr<FileLock>> lock = fs.Lock(fmt::format("{}/{}", folder, kLockName));
  if (absl::IsFailedPrecondition(lock.status())) {
    return absl::UnavailableError(
        fmt::format("data folder {} is in use by another process", folder));
  }
  if (!lock.ok()) return lock.status();

  const LogOptions log_options{options.segment_bytes, options.grow_bytes};
  Folder files(fs, folder, identity, log_options);
  std::unique_ptr<FolderStorage> storage;
  const auto load = [&]() -> absl::StatusOr<Recovered> {
    std::vector<std::string> notes;
    if (absl::Status ready = files.Prepare(&notes); !ready.ok()) return ready;
    storage = std::make_unique<FolderStorage>(fs, folder, identity, log_options);
    return storage->Load(std::move(notes));
  };
  absl::StatusOr<Recovered> recovered = load();
  absl::Status damage = recovered.status();
  if (recovered.ok() && recovered->fresh && on_damage == OnDamage::kRebuild) {
    damage = absl::DataLossError("the folder is empty");
  }
  if (absl::IsDataLoss(damage)) {
    if (on_damage == OnDamage::kRefuse) return WithAdvice(damage);
    const absl::StatusOr<std::string> aside = files.SetAside();
    if (!aside.ok()) return aside.status();
    recovered = load();
    if (recovered.ok()) {
      recovered->notes.push_back(
          fmt::format("set aside in {}: {}", *aside, std::string(damage.message())));
    }
  }
  if (!recovered.ok()) return recovered.status();
  storage->Hold(*std::move(lock));
  return OpenedStorage{std::move(storage), *std::move(recovered)};
}

}  // namespace bank::storage
