// DiskQueue: the thread that writes one branch's log and snapshots, strictly in the order asked.
//
// Group commit: appends that wait together are written together and made durable by one Sync().
// A job is reported only when it is durable. The first error ends everything: `on_error` is called
// once with it, nothing is reported or written any more.
// Threads: Queue() and Stop() from any thread; callbacks run on the disk's thread and must not
// block. What is referred to must outlive the queue.
#pragma once

#include <cstdint>
#include <thread>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "branch/replication/metrics.h"
#include "branch/storage/entry.h"
#include "branch/storage/storage.h"
#include "common/clock.h"
#include "common/ids.h"

namespace bank::replication {

struct DiskAppend {
  LogIndex first;
  std::vector<storage::Entry> entries;
};
struct DiskSaveSnapshot {
  LogIndex index;
};
struct DiskInstallSnapshot {
  storage::Snapshot snapshot;
};
struct DiskTrimPrefix {
  LogIndex first;
};
struct DiskFinishRebuild {
  Term vote_floor;
};
using DiskJob = std::variant<DiskAppend, DiskSaveSnapshot, DiskInstallSnapshot, DiskTrimPrefix,
                             DiskFinishRebuild>;

class DiskQueue {
 public:
  // Jobs that became durable together, in their order.
  using DurableCallback = absl::AnyInvocable<void(std::vector<DiskJob>)>;
  using ErrorCallback = absl::AnyInvocable<void(absl::Status)>;

  // Counts its depth, and how long the log takes to become durable, in `metrics`.
  DiskQueue(storage::Storage& storage, const Clock& clock, ReplicationMetrics& metrics,
            DurableCallback on_durable, ErrorCallback on_error);
  // Finishes what is queued, as Stop() does.
  ~DiskQueue();
  DiskQueue(const DiskQueue&) = delete;
  DiskQueue& operator=(const DiskQueue&) = delete;

  void Queue(DiskJob job);

  // Writes what is queued, then ends the thread. Later jobs are dropped. Idempotent; not from a
  // callback.
  void Stop();

 private:
  void Run();
  // Writes jobs[*next ...] up to and including one Sync(); advances *next past what is durable.
  absl::Status WriteSome(const std::vector<DiskJob>& jobs, size_t* next);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !queued_.empty();
  }

  storage::Storage& storage_;
  const Clock& clock_;
  ReplicationMetrics& metrics_;
  DurableCallback on_durable_;
  ErrorCallback on_error_;

  absl::Mutex mutex_;
  // Bounded by the engine: the leader's open entries, or what a follower is sent unanswered.
  std::vector<DiskJob> queued_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace bank::replication
