// Goal: jobs become durable in order, appends that wait together share one sync, and after an error
// nothing is reported.
// Method: a storage whose first sync is held until more jobs wait.
#include "branch/replication/runtime/disk_queue.h"

#include <gtest/gtest.h>

#include <memory>

#include "absl/synchronization/notification.h"
#include "tests/support/memory_storage.h"

namespace bank::replication {
namespace {

storage::Entry MakeEntry(uint64_t term) {
  return {Term(term), storage::EntryType::kCommand, std::make_shared<const std::string>("x")};
}
DiskAppend Append(uint64_t first, size_t n) {
  return {LogIndex(first), std::vector<storage::Entry>(n, MakeEntry(1))};
}

// Collects what was reported.
struct Reports {
  absl::Mutex mutex;
  std::vector<std::vector<DiskJob>> groups;
  std::vector<absl::Status> errors;

  DiskQueue::DurableCallback OnDurable() {
    return [this](std::vector<DiskJob> jobs) {
      absl::MutexLock lock(&mutex);
      groups.push_back(std::move(jobs));
    };
  }
  DiskQueue::ErrorCallback OnError() {
    return [this](absl::Status status) {
      absl::MutexLock lock(&mutex);
      errors.push_back(std::move(status));
    };
  }
};

TEST(DiskQueue, WaitingAppendsShareOneSync) {
  storage::MemoryDisk disk;
  storage::MemoryStorage storage(disk);
  const SteadyClock clock;
  ReplicationMetrics metrics;
  absl::Notification first_reported, go_on;
  std::atomic<size_t> reported{0};
  {
    DiskQueue queue(
        storage, clock, metrics,
        [&](std::vector<DiskJob> jobs) {
          if (reported.fetch_add(jobs.size()) == 0) {
            first_reported.Notify();
            go_on.WaitForNotification();
          }
        },
        [](absl::Status status) { FAIL() << status; });
    queue.Queue(Append(1, 1));
    first_reported.WaitForNotification();
    for (uint64_t i = 2; i <= 11; ++i) queue.Queue(Append(i, 1));
    go_on.Notify();
    queue.Stop();
  }
  EXPECT_EQ(reported.load(), 11u);
  EXPECT_EQ(disk.appends(), 11u);
  EXPECT_EQ(disk.syncs(), 2u);
  EXPECT_EQ(metrics.sync.Read().count(), 2u);
  EXPECT_EQ(metrics.disk_queue_depth.load(), 0);
  EXPECT_EQ(disk.Recover().entries.size(), 11u);
}

TEST(DiskQueue, ASnapshotWaitsForTheAppendsBeforeIt) {
  storage::MemoryDisk disk;
  storage::MemoryStorage storage(disk);
  const SteadyClock clock;
  ReplicationMetrics metrics;
  Reports reports;
  {
    DiskQueue queue(storage, clock, metrics, reports.OnDurable(), reports.OnError());
    queue.Queue(Append(1, 5));
    ASSERT_TRUE(storage
                    .PrepareSnapshot({LogIndex(5), Term(1), LogIndex(1), "c",
                                      std::make_shared<const std::string>("s")})
                    .ok());
    queue.Queue(DiskSaveSnapshot{LogIndex(5)});
    queue.Queue(DiskTrimPrefix{LogIndex(3)});
    queue.Queue(Append(6, 1));
    queue.Stop();
  }
  EXPECT_TRUE(reports.errors.empty());
  std::vector<size_t> kinds;
  for (const auto& group : reports.groups) {
    for (const DiskJob& job : group) kinds.push_back(job.index());
  }
  EXPECT_EQ(kinds, (std::vector<size_t>{0, 1, 3, 0}));
  const storage::Recovered recovered = disk.Recover();
  EXPECT_EQ(recovered.first_index, LogIndex(3));
  EXPECT_EQ(recovered.entries.size(), 4u);
  EXPECT_EQ(recovered.snapshot->index, LogIndex(5));
}

// Not every other job makes the appends before it durable by itself.
TEST(DiskQueue, ReportsNoAppendThatAPowerLossWouldTake) {
  storage::MemoryDisk disk;
  storage::MemoryStorage storage(disk);
  const SteadyClock clock;
  ReplicationMetrics metrics;
  absl::Notification first_reported, go_on;
  uint64_t appended = 0;
  {
    DiskQueue queue(
        storage, clock, metrics,
        [&](std::vector<DiskJob> jobs) {
          for (const DiskJob& job : jobs) appended += std::holds_alternative<DiskAppend>(job);
          EXPECT_GE(disk.Recover().entries.size(), appended);
          if (first_reported.HasBeenNotified()) return;
          first_reported.Notify();
          go_on.WaitForNotification();
        },
        [](absl::Status status) { FAIL() << status; });
    queue.Queue(Append(1, 1));
    first_reported.WaitForNotification();
    queue.Queue(Append(2, 1));  // these two wait together
    queue.Queue(DiskFinishRebuild{Term(1)});
    go_on.Notify();
    queue.Stop();
  }
  EXPECT_EQ(appended, 2u);
}

TEST(DiskQueue, NothingIsReportedAfterAnError) {
  storage::MemoryDisk disk;
  storage::MemoryStorage storage(disk);
  const SteadyClock clock;
  ReplicationMetrics metrics;
  Reports reports;
  disk.FailFromNowOn(true);
  {
    DiskQueue queue(storage, clock, metrics, reports.OnDurable(), reports.OnError());
    queue.Queue(Append(1, 1));
    queue.Queue(Append(2, 1));
    queue.Stop();
    disk.FailFromNowOn(false);
    queue.Queue(Append(3, 1));
  }
  EXPECT_EQ(reports.errors.size(), 1u);
  EXPECT_TRUE(reports.groups.empty());
}

}  // namespace
}  // namespace bank::replication
