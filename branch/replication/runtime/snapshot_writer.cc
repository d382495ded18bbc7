#include "branch/replication/runtime/snapshot_writer.h"

#include <utility>

#include "common/check.h"

namespace bank::replication {

SnapshotWriter::SnapshotWriter(storage::Storage& storage, PreparedCallback on_prepared,
                               ErrorCallback on_error)
    : storage_(storage),
      on_prepared_(std::move(on_prepared)),
      on_error_(std::move(on_error)),
      thread_([this] { Run(); }) {}

SnapshotWriter::~SnapshotWriter() { Stop(); }

void SnapshotWriter::Queue(SnapshotDraft draft) {
  absl::MutexLock lock(&mutex_);
  BANK_CHECK(!draft_.has_value());
  if (!stopping_) draft_ = std::move(draft);
}

void SnapshotWriter::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void SnapshotWriter::Run() {
  for (;;) {
    std::optional<SnapshotDraft> draft;
    {
      absl::MutexLock lock(&mutex_, absl::Condition(this, &SnapshotWriter::HasWork));
      if (stopping_) return;
      draft = std::exchange(draft_, std::nullopt);
    }
    storage::Snapshot snapshot = draft->Encode();
    draft.reset();  // from here on the ledger's pages are its own again
    if (absl::Status status = storage_.PrepareSnapshot(snapshot); !status.ok()) {
      {
        absl::MutexLock lock(&mutex_);
        stopping_ = true;
      }
      on_error_(std::move(status));
      return;
    }
    on_prepared_(std::move(snapshot));
  }
}

}  // namespace bank::replication
