// A storage in memory that outlives the branch, with power loss and errors on demand: for tests of
// what stands above the disk.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "branch/storage/storage.h"
#include "common/check.h"

namespace bank::storage {

// What is on the platter. Thread-safe.
class MemoryDisk {
 public:
  // What a branch finds when it starts: what was durable.
  Recovered Recover() {
    absl::MutexLock lock(&mutex_);
    Recovered recovered = durable_;
    written_ = durable_.entries;
    return recovered;
  }
  void FailFromNowOn(bool fail) {
    absl::MutexLock lock(&mutex_);
    failing_ = fail;
  }
  void FailSyncs(bool fail) {
    absl::MutexLock lock(&mutex_);
    failing_syncs_ = fail;
  }
  // While it is held, syncs do not end. The test releases it.
  void Hold(bool held) {
    absl::MutexLock lock(&mutex_);
    held_ = held;
  }
  void AwaitHeldSync() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&sync_waits_));
  }
  bool lost() {
    absl::MutexLock lock(&mutex_);
    return lost_;
  }
  uint64_t syncs() {
    absl::MutexLock lock(&mutex_);
    return syncs_;
  }
  uint64_t appends() {
    absl::MutexLock lock(&mutex_);
    return appends_;
  }

 private:
  friend class MemoryStorage;
  absl::Mutex mutex_;
  Recovered durable_ ABSL_GUARDED_BY(mutex_);
  std::vector<Entry> written_ ABSL_GUARDED_BY(mutex_);  // durable ones and not yet durable ones
  bool failing_ ABSL_GUARDED_BY(mutex_) = false;
  bool failing_syncs_ ABSL_GUARDED_BY(mutex_) = false;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  bool sync_waits_ ABSL_GUARDED_BY(mutex_) = false;
  bool lost_ ABSL_GUARDED_BY(mutex_) = false;  // marked as lost
  uint64_t syncs_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t appends_ ABSL_GUARDED_BY(mutex_) = 0;
};

class MemoryStorage final : public Storage {
 public:
  explicit MemoryStorage(MemoryDisk& disk) : disk_(disk) {}

  absl::Status WriteHardState(const HardState& state) override {
    absl::MutexLock lock(&disk_.mutex_);
    if (disk_.failing_) return Failure();
    const HardState& known = disk_.durable_.hard_state;
    const bool votes_again =
        state.term == known.term && known.vote != BranchId(0) && state.vote != known.vote;
    if (state.term < known.term || votes_again) return absl::InternalError("a vote taken back");
    disk_.durable_.hard_state = state;
    return absl::OkStatus();
  }
  absl::Status Append(LogIndex first, absl::Span<const Entry> entries) override {
    absl::MutexLock lock(&disk_.mutex_);
    if (disk_.failing_) return Failure();
    ++disk_.appends_;
    const uint64_t begin = disk_.durable_.first_index.value;
    BANK_CHECK(first.value >= begin);
    BANK_CHECK(first.value - begin <= disk_.written_.size());
    disk_.written_.resize(first.value - begin);
    disk_.written_.insert(disk_.written_.end(), entries.begin(), entries.end());
    return absl::OkStatus();
  }
  absl::Status Sync() override {
    absl::MutexLock lock(&disk_.mutex_);
    disk_.sync_waits_ = disk_.held_;
    const auto goes_on = [this] { return !disk_.held_; };
    disk_.mutex_.Await(absl::Condition(&goes_on));
    disk_.sync_waits_ = false;
    if (disk_.failing_ || disk_.failing_syncs_) return Failure();
    ++disk_.syncs_;
    disk_.durable_.entries = disk_.written_;
    return absl::OkStatus();
  }
  absl::Status PrepareSnapshot(const Snapshot& snapshot) override {
    absl::MutexLock lock(&disk_.mutex_);
    if (disk_.failing_) return Failure();
    prepared_ = snapshot;
    return absl::OkStatus();
  }
  absl::Status SaveSnapshot(LogIndex index) override {
    absl::MutexLock lock(&disk_.mutex_);
    if (disk_.failing_) return Failure();
    BANK_CHECK(prepared_.has_value() && prepared_->index == index) << index.value;
    std::optional<Snapshot> saved = std::exchange(prepared_, std::nullopt);
    const std::optional<Snapshot>& known = disk_.durable_.snapshot;
    if (known && known->index >= index) return absl::OkStatus();
    disk_.durable_.snapshot = std::move(saved);
    disk_.durable_.entries = disk_.written_;
    return absl::OkStatus();
  }
  absl::Status InstallSnapshot(const Snapshot& snapshot) override {
    absl::MutexLock lock(&disk_.mutex_);
    if (disk_.failing_) return Failure();
    disk_.durable_.snapshot = snapshot;
    disk_.durable_.entries.clear();
    disk_.written_.clear();
    disk_.durable_.first_index = snapshot.index.Next();
    return absl::OkStatus();
  }
  absl::Status BeginRebuild() override {
    absl::MutexLock lock(&disk_.mutex_);
    disk_.durable_.rebuilding = true;
    return absl::OkStatus();
  }
  absl::Status FinishRebuild(Term vote_floor) override {
    absl::MutexLock lock(&disk_.mutex_);
    disk_.durable_.rebuilding = false;
    disk_.durable_.vote_floor = vote_floor;
    return absl::OkStatus();
  }
  absl::Status MarkLost() override {
    absl::MutexLock lock(&disk_.mutex_);
    disk_.lost_ = true;
    return absl::OkStatus();
  }
  absl::Status TrimPrefix(LogIndex first) override {
    absl::MutexLock lock(&disk_.mutex_);
    const uint64_t begin = disk_.durable_.first_index.value;
    if (first.value <= begin) return absl::OkStatus();
    const auto n = static_cast<ptrdiff_t>(
        std::min<uint64_t>(first.value - begin, disk_.durable_.entries.size()));
    disk_.durable_.entries.erase(disk_.durable_.entries.begin(),
                                 disk_.durable_.entries.begin() + n);
    disk_.written_.erase(disk_.written_.begin(), disk_.written_.begin() + n);
    disk_.durable_.first_index = first;
    return absl::OkStatus();
  }

 private:
  static absl::Status Failure() { return absl::DataLossError("the disk fails on demand"); }
  MemoryDisk& disk_;
  std::optional<Snapshot> prepared_;  // under the disk's lock
};

}  // namespace bank::storage
