// Goal: drafts are encoded and prepared one after the other, the log's disk queue goes on
// meanwhile, and after an error nothing is reported. Method: a storage in memory, and one whose
// preparing is held until the log has been written.
#include "branch/replication/runtime/snapshot_writer.h"

#include <gtest/gtest.h>

#include "absl/synchronization/notification.h"
#include "branch/replication/runtime/disk_queue.h"
#include "tests/support/memory_storage.h"

namespace bank::replication {
namespace {

SnapshotDraft Draft(uint64_t index) {
  return {LogIndex(index), Term(1), LogIndex(1), "c", ledger::Ledger().Freeze()};
}

TEST(SnapshotWriter, PreparesWhatIsSavedThen) {
  storage::MemoryDisk disk;
  storage::MemoryStorage storage(disk);
  absl::Notification prepared;
  {
    SnapshotWriter writer(
        storage,
        [&](storage::Snapshot snapshot) {
          EXPECT_EQ(snapshot.index, LogIndex(5));
          EXPECT_EQ(*snapshot.state, ledger::Ledger().Freeze().Encode());
          prepared.Notify();
        },
        [](absl::Status status) { FAIL() << status; });
    writer.Queue(Draft(5));
    prepared.WaitForNotification();
    EXPECT_FALSE(disk.Recover().snapshot.has_value());
    EXPECT_TRUE(storage.SaveSnapshot(LogIndex(5)).ok());
  }
  EXPECT_EQ(disk.Recover().snapshot->index, LogIndex(5));
}

TEST(SnapshotWriter, TheLogIsWrittenMeanwhile) {
  storage::MemoryDisk disk;
  storage::MemoryStorage storage(disk);
  const SteadyClock clock;
  ReplicationMetrics metrics;
  absl::Notification preparing, appended;
  SnapshotWriter writer(
      storage,
      [&](storage::Snapshot) {
        preparing.Notify();
        appended.WaitForNotification();
      },
      [](absl::Status status) { FAIL() << status; });
  DiskQueue queue(
      storage, clock, metrics, [&](std::vector<DiskJob>) { appended.Notify(); },
      [](absl::Status status) { FAIL() << status; });
  writer.Queue(Draft(1));
  preparing.WaitForNotification();
  queue.Queue(DiskAppend{
      LogIndex(1),
      {{Term(1), storage::EntryType::kCommand, std::make_shared<const std::string>("x")}}});
  appended.WaitForNotification();
  writer.Stop();
}

TEST(SnapshotWriter, NothingIsReportedAfterAnError) {
  storage::MemoryDisk disk;
  storage::MemoryStorage storage(disk);
  disk.FailFromNowOn(true);
  absl::Notification failed;
  SnapshotWriter writer(
      storage, [](storage::Snapshot) { FAIL(); },
      [&](absl::Status status) {
        EXPECT_FALSE(status.ok());
        failed.Notify();
      });
  writer.Queue(Draft(1));
  failed.WaitForNotification();
  disk.FailFromNowOn(false);
  writer.Queue(Draft(2));
  writer.Stop();
}

}  // namespace
}  // namespace bank::replication
