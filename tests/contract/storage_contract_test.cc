// Goal: the data folder and the storage in memory that tests of the driver stand on do the same.
// Method: one suite on both: calls of storage.h, a restart that loses what was not synced, and what
// is found then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/memory_storage.h"
#include "tests/support/storage_model.h"

namespace bank::storage {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

// A disk, and the branch's storage on it.
class Folder {
 public:
  sim::SimFileSystem disk{1};
  std::unique_ptr<Storage> storage;
  Recovered Start() {
    storage.reset();
    disk.PowerLoss();
    auto opened = Open(disk);
    EXPECT_TRUE(opened.ok()) << opened.status();
    storage = std::move(opened->storage);
    return opened->recovered;
  }
};
class Memory {
 public:
  MemoryDisk disk;
  std::unique_ptr<Storage> storage;
  Recovered Start() {
    storage = std::make_unique<MemoryStorage>(disk);
    return disk.Recover();
  }
};

template <class Kind>
class StorageContract : public ::testing::Test {
 protected:
  StorageContract() { first_ = kind_.Start(); }
  Storage& storage() { return *kind_.storage; }
  Recovered Restart() { return kind_.Start(); }
  // Entries from index `first` on, each of which says its index.
  absl::Status Append(uint64_t first, uint64_t count, uint64_t term = 1) {
    std::vector<Entry> entries;
    for (uint64_t i = first; i < first + count; ++i) {
      entries.push_back(MakeEntry(term, "entry " + std::to_string(i)));
    }
    return storage().Append(LogIndex(first), entries);
  }
  void AppendAndSync(uint64_t first, uint64_t count, uint64_t term = 1) {
    ASSERT_TRUE(Append(first, count, term).ok());
    ASSERT_TRUE(storage().Sync().ok());
  }

  Kind kind_;
  Recovered first_;
};

using Kinds = ::testing::Types<Folder, Memory>;
TYPED_TEST_SUITE(StorageContract, Kinds);

TYPED_TEST(StorageContract, ANewOneIsEmpty) {
  EXPECT_THAT(this->first_.entries, IsEmpty());
  EXPECT_EQ(this->first_.first_index, LogIndex(1));
  EXPECT_EQ(this->first_.hard_state, HardState());
  EXPECT_FALSE(this->first_.snapshot.has_value());
  EXPECT_FALSE(this->first_.rebuilding);
}

TYPED_TEST(StorageContract, SyncedEntriesComeBackAndOthersAllOrNone) {
  this->AppendAndSync(1, 3);
  ASSERT_TRUE(this->Append(4, 5).ok());
  const Recovered recovered = this->Restart();
  EXPECT_TRUE(recovered.entries.size() == 3 || recovered.entries.size() == 8)
      << recovered.entries.size();
  EXPECT_EQ(*recovered.entries[2].payload, "entry 3");
  EXPECT_THAT(recovered.notes, IsEmpty());
}

TYPED_TEST(StorageContract, ASuffixIsReplaced) {
  this->AppendAndSync(1, 8);
  this->AppendAndSync(4, 2, /*term=*/2);
  const Recovered recovered = this->Restart();
  ASSERT_THAT(recovered.entries, SizeIs(5));
  EXPECT_EQ(recovered.entries[2].term, Term(1));
  EXPECT_EQ(recovered.entries[3].term, Term(2));
}

TYPED_TEST(StorageContract, AVoteIsDurableAndIsNeverTakenBack) {
  ASSERT_TRUE(this->storage().WriteHardState({Term(3), BranchId(2)}).ok());
  EXPECT_EQ(this->Restart().hard_state, (HardState{Term(3), BranchId(2)}));
  for (const HardState& backward : {HardState{Term(2), BranchId(2)}, {Term(3), BranchId(1)}}) {
    EXPECT_EQ(this->storage().WriteHardState(backward).code(), absl::StatusCode::kInternal);
  }
  EXPECT_EQ(this->Restart().hard_state, (HardState{Term(3), BranchId(2)}));
  EXPECT_TRUE(this->storage().WriteHardState({Term(3), BranchId(2)}).ok());
  EXPECT_TRUE(this->storage().WriteHardState({Term(4), BranchId(0)}).ok());
  EXPECT_TRUE(this->storage().WriteHardState({Term(4), BranchId(1)}).ok());
  EXPECT_EQ(this->Restart().hard_state, (HardState{Term(4), BranchId(1)}));
}

TYPED_TEST(StorageContract, OnlyASavedSnapshotIsThere) {
  this->AppendAndSync(1, 8);
  ASSERT_TRUE(this->storage().PrepareSnapshot(MakeSnapshot(4, 1, "four")).ok());
  EXPECT_FALSE(this->Restart().snapshot.has_value());
  ASSERT_TRUE(this->storage().PrepareSnapshot(MakeSnapshot(4, 1, "four")).ok());
  ASSERT_TRUE(this->storage().PrepareSnapshot(MakeSnapshot(6, 1, "six")).ok());
  ASSERT_TRUE(this->storage().SaveSnapshot(LogIndex(6)).ok());
  const Recovered recovered = this->Restart();
  EXPECT_EQ(*recovered.snapshot->state, "six");
  EXPECT_EQ(recovered.first_index.value + recovered.entries.size(), 9u) << "the log stays";
}

TYPED_TEST(StorageContract, AnOlderSnapshotIsIgnored) {
  this->AppendAndSync(1, 8);
  ASSERT_TRUE(PrepareAndSave(this->storage(), MakeSnapshot(6, 1, "six")).ok());
  ASSERT_TRUE(PrepareAndSave(this->storage(), MakeSnapshot(4, 1, "four")).ok());
  EXPECT_EQ(*this->Restart().snapshot->state, "six");
}

TYPED_TEST(StorageContract, SavingMakesWhatWasAppendedDurable) {
  ASSERT_TRUE(this->Append(1, 8).ok());
  ASSERT_TRUE(PrepareAndSave(this->storage(), MakeSnapshot(4, 1, "four")).ok());
  const Recovered recovered = this->Restart();
  EXPECT_EQ(recovered.first_index.value + recovered.entries.size(), 9u);
}

TYPED_TEST(StorageContract, AnInstalledSnapshotEmptiesTheLog) {
  this->AppendAndSync(1, 8);
  ASSERT_TRUE(this->storage().InstallSnapshot(MakeSnapshot(20, 3, "twenty")).ok());
  Recovered recovered = this->Restart();
  EXPECT_EQ(*recovered.snapshot->state, "twenty");
  EXPECT_THAT(recovered.entries, IsEmpty());
  EXPECT_EQ(recovered.first_index, LogIndex(21));
  this->AppendAndSync(21, 2, /*term=*/3);
  recovered = this->Restart();
  ASSERT_THAT(recovered.entries, SizeIs(2));
  EXPECT_EQ(*recovered.entries[1].payload, "entry 22");
}

TYPED_TEST(StorageContract, TrimmingDropsNoEntryFromThereOn) {
  this->AppendAndSync(1, 30);
  ASSERT_TRUE(PrepareAndSave(this->storage(), MakeSnapshot(25, 1, "state")).ok());
  ASSERT_TRUE(this->storage().TrimPrefix(LogIndex(20)).ok());
  ASSERT_TRUE(this->storage().TrimPrefix(LogIndex(10)).ok()) << "dropped already";
  this->AppendAndSync(31, 1);
  const Recovered recovered = this->Restart();
  EXPECT_LE(recovered.first_index, LogIndex(20));
  EXPECT_EQ(recovered.first_index.value + recovered.entries.size(), 32u);
  EXPECT_EQ(*recovered.entries.back().payload, "entry 31");
  EXPECT_EQ(*recovered.entries.front().payload,
            "entry " + std::to_string(recovered.first_index.value));
}

TYPED_TEST(StorageContract, ARebuildIsUnderWayUntilItIsFinished) {
  ASSERT_TRUE(this->storage().BeginRebuild().ok());
  EXPECT_TRUE(this->Restart().rebuilding);
  EXPECT_TRUE(this->Restart().rebuilding);
  ASSERT_TRUE(this->storage().FinishRebuild(Term(5)).ok());
  const Recovered recovered = this->Restart();
  EXPECT_FALSE(recovered.rebuilding);
  EXPECT_EQ(recovered.vote_floor, Term(5));
}

}  // namespace
}  // namespace bank::storage
