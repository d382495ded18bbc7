// SnapshotWriter: the thread that encodes a branch's own snapshots and writes them beside the log.
//
// Both take seconds in a large bank: longer than the leader may be silent, or an append may wait.
// The first error ends everything: `on_error` is called once with it and nothing is written or
// reported any more.
// Threads: Queue() and Stop() from any thread; callbacks run on the writer's thread and must not
// block. What is referred to must outlive the writer.
#pragma once

#include <optional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "branch/replication/driver/driver.h"
#include "branch/storage/storage.h"

namespace bank::replication {

class SnapshotWriter {
 public:
  // Storage's PrepareSnapshot() was done with it.
  using PreparedCallback = absl::AnyInvocable<void(storage::Snapshot)>;
  using ErrorCallback = absl::AnyInvocable<void(absl::Status)>;

  SnapshotWriter(storage::Storage& storage, PreparedCallback on_prepared, ErrorCallback on_error);
  ~SnapshotWriter();
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  // The draft before must have been reported.
  void Queue(SnapshotDraft draft);

  // Waits for the draft under way; one that is not begun is dropped, as are later ones. Idempotent;
  // not from a callback.
  void Stop();

 private:
  void Run();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || draft_.has_value();
  }

  storage::Storage& storage_;
  PreparedCallback on_prepared_;
  ErrorCallback on_error_;

  absl::Mutex mutex_;
  std::optional<SnapshotDraft> draft_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace bank::replication
