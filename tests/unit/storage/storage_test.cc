// Goal: a folder gives back what was put into it, and refuses what is not its own.
// Method: short scenes on the simulated disk, each ended by a power loss.
#include "branch/storage/storage.h"

#include "tests/support/storage_model.h"

namespace bank::storage {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class StorageTest : public testing::Test {
 protected:
  OpenedStorage MustOpen(OnDamage on_damage = OnDamage::kRefuse) {
    absl::StatusOr<OpenedStorage> opened = Open(fs_, on_damage);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }
  Recovered AfterPowerLoss() {
    fs_.PowerLoss();
    return MustOpen().recovered;
  }
  static std::vector<Entry> Numbered(uint64_t from, uint64_t to, uint64_t term = 1) {
    std::vector<Entry> entries;
    for (uint64_t i = from; i <= to; ++i) {
      entries.push_back(MakeEntry(term, "entry " + std::to_string(i)));
    }
    return entries;
  }

  // Files of the log.
  ptrdiff_t Segments() const {
    const std::vector<std::string> files = fs_.Files();
    return std::count_if(files.begin(), files.end(),
                         [](const std::string& f) { return f.find("/log-") != f.npos; });
  }

  sim::SimFileSystem fs_{1};
};

TEST_F(StorageTest, AFreshFolderIsEmpty) {
  const Recovered recovered = MustOpen().recovered;
  EXPECT_TRUE(recovered.fresh);
  EXPECT_THAT(recovered.entries, IsEmpty());
  EXPECT_EQ(recovered.first_index, LogIndex(1));
  EXPECT_FALSE(recovered.snapshot.has_value());
  EXPECT_EQ(recovered.hard_state, HardState());
  EXPECT_TRUE(AfterPowerLoss().fresh) << "still nothing was written";
}

TEST_F(StorageTest, EntriesOfEveryKindAndSizeComeBack) {
  std::vector<Entry> entries = {
      MakeEntry(1, "", EntryType::kChange), MakeEntry(1, std::string(100'000, 'x')),
      MakeEntry(2, std::string(507, '\0')), MakeEntry(2, "", EntryType::kBarrier)};
  {
    OpenedStorage opened = MustOpen();
    ASSERT_TRUE(opened.storage->Append(LogIndex(1), entries).ok());
    ASSERT_TRUE(opened.storage->Sync().ok());
  }
  const Recovered recovered = AfterPowerLoss();
  EXPECT_FALSE(recovered.fresh);
  EXPECT_THAT(recovered.notes, IsEmpty());
  ASSERT_EQ(recovered.entries.size(), entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(Text(recovered.entries[i]), Text(entries[i]));
  }
}

TEST_F(StorageTest, AVoteIsDurableWhenItReturnsAndIsNeverTakenBack) {
  {
    OpenedStorage opened = MustOpen();
    ASSERT_TRUE(opened.storage->WriteHardState({Term(3), BranchId(2)}).ok());
  }
  EXPECT_EQ(AfterPowerLoss().hard_state, (HardState{Term(3), BranchId(2)}));
  OpenedStorage opened = MustOpen();
  EXPECT_FALSE(opened.recovered.fresh);
  EXPECT_EQ(opened.storage->WriteHardState({Term(3), BranchId(1)}).code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(opened.storage->WriteHardState({Term(2), BranchId(0)}).code(),
            absl::StatusCode::kInternal);
  EXPECT_TRUE(opened.storage->WriteHardState({Term(4), BranchId(1)}).ok());
}

TEST_F(StorageTest, ASuffixIsReplaced) {
  {
    OpenedStorage opened = MustOpen();
    ASSERT_TRUE(opened.storage->Append(LogIndex(1), Numbered(1, 40)).ok());
    ASSERT_TRUE(opened.storage->Append(LogIndex(11), Numbered(11, 12, 2)).ok());
    ASSERT_TRUE(opened.storage->Sync().ok());
    EXPECT_EQ(opened.storage->Append(LogIndex(14), Numbered(14, 14)).code(),
              absl::StatusCode::kInvalidArgument);
  }
  const Recovered recovered = AfterPowerLoss();
  ASSERT_EQ(recovered.entries.size(), 12u);
  EXPECT_EQ(recovered.entries[9].term, Term(1));
  EXPECT_EQ(recovered.entries[10].term, Term(2));
}

TEST_F(StorageTest, SnapshotsReplaceEachOtherAndOldSegmentsGo) {
  {
    OpenedStorage opened = MustOpen();
    for (uint64_t i = 1; i <= 60; ++i) {
      ASSERT_TRUE(opened.storage->Append(LogIndex(i), Numbered(i, i)).ok());
      ASSERT_TRUE(opened.storage->Sync().ok());
    }
    const size_t before = fs_.Files().size();
    ASSERT_TRUE(PrepareAndSave(*opened.storage, MakeSnapshot(20, 1, "twenty")).ok());
    ASSERT_TRUE(PrepareAndSave(*opened.storage, MakeSnapshot(50, 1, "fifty")).ok());
    ASSERT_TRUE(opened.storage->TrimPrefix(LogIndex(45)).ok());
    EXPECT_LT(fs_.Files().size(), before);
  }
  const Recovered recovered = AfterPowerLoss();
  ASSERT_TRUE(recovered.snapshot.has_value());
  EXPECT_EQ(*recovered.snapshot->state, "fifty");
  EXPECT_GT(recovered.first_index, LogIndex(1));
  EXPECT_LE(recovered.first_index, LogIndex(45));
  EXPECT_EQ(recovered.first_index.value + recovered.entries.size(), 61u);
  EXPECT_EQ(*recovered.entries.back().payload, "entry 60");
}

TEST_F(StorageTest, APreparedSnapshotIsNothingUntilItIsSaved) {
  {
    OpenedStorage opened = MustOpen();
    ASSERT_TRUE(opened.storage->Append(LogIndex(1), Numbered(1, 30)).ok());
    ASSERT_TRUE(opened.storage->Sync().ok());
    ASSERT_TRUE(opened.storage->PrepareSnapshot(MakeSnapshot(10, 1, "ten")).ok());
  }
  fs_.KillProcess();  // the file is surely there
  EXPECT_FALSE(MustOpen().recovered.snapshot.has_value());
  for (const std::string& path : fs_.Files()) EXPECT_FALSE(path.ends_with(".tmp")) << path;
  {
    OpenedStorage opened = MustOpen();
    EXPECT_EQ(opened.storage->SaveSnapshot(LogIndex(10)).code(), absl::StatusCode::kInvalidArgument)
        << "it was prepared in another life";
  }
  {
    OpenedStorage opened = MustOpen();
    ASSERT_TRUE(
        opened.storage->PrepareSnapshot(MakeSnapshot(10, 1, "longer than the next one")).ok());
    ASSERT_TRUE(opened.storage->PrepareSnapshot(MakeSnapshot(20, 1, "twenty")).ok());
    ASSERT_TRUE(opened.storage->Append(LogIndex(31), Numbered(31, 32)).ok());
    ASSERT_TRUE(opened.storage->SaveSnapshot(LogIndex(20)).ok());
  }
  const Recovered recovered = AfterPowerLoss();
  ASSERT_TRUE(recovered.snapshot.has_value());
  EXPECT_EQ(*recovered.snapshot->state, "twenty");
  EXPECT_EQ(recovered.entries.size(), 32u);
}

TEST_F(StorageTest, ASnapshotIsReceivedWhileAnotherIsPrepared) {
  {
    OpenedStorage opened = MustOpen();
    ASSERT_TRUE(opened.storage->Append(LogIndex(1), Numbered(1, 30)).ok());
    ASSERT_TRUE(opened.storage->PrepareSnapshot(MakeSnapshot(20, 1, "own")).ok());
    ASSERT_TRUE(opened.storage->InstallSnapshot(MakeSnapshot(50, 2, "the leader's")).ok());
    EXPECT_TRUE(opened.storage->SaveSnapshot(LogIndex(20)).ok()) << "ignored: it is older";
  }
  const Recovered recovered = AfterPowerLoss();
  ASSERT_TRUE(recovered.snapshot.has_value());
  EXPECT_EQ(*recovered.snapshot->state, "the leader's");
}

TEST_F(StorageTest, OnlyTheSnapshotThatWasPreparedLastIsSaved) {
  {
    OpenedStorage opened = MustOpen();
    ASSERT_TRUE(opened.storage->Append(LogIndex(1), Numbered(1, 30)).ok());
    ASSERT_TRUE(opened.storage->PrepareSnapshot(MakeSnapshot(10, 1, "ten")).ok());
    ASSERT_TRUE(opened.storage->PrepareSnapshot(MakeSnapshot(20, 1, "twenty")).ok());
    EXPECT_EQ(opened.storage->SaveSnapshot(LogIndex(10)).code(),
              absl::StatusCode::kInvalidArgument);
  }
  fs_.KillProcess();
  {
    OpenedStorage opened = MustOpen();
    ASSERT_TRUE(opened.storage->PrepareSnapshot(MakeSnapshot(10, 1, "ten")).ok());
    fs_.FailNext(sim::DiskCall::kWrite, absl::UnknownError("EIO"));
    EXPECT_FALSE(opened.storage->PrepareSnapshot(MakeSnapshot(20, 1, "twenty")).ok());
    EXPECT_EQ(opened.storage->SaveSnapshot(LogIndex(10)).code(), absl::StatusCode::kInvalidArgument)
        << "its file is gone";
  }
}

TEST_F(StorageTest, WhatIsReplacedGoesOnlyWhenItsSuccessorIsDurable) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    sim::SimFileSystem fs(seed);
    auto opened = Open(fs);
    ASSERT_TRUE(opened.ok());
    for (uint64_t i = 1; i <= 60; ++i) {
      ASSERT_TRUE(opened->storage->Append(LogIndex(i), Numbered(i, i)).ok());
    }
    ASSERT_TRUE(PrepareAndSave(*opened->storage, MakeSnapshot(6, 1, "six")).ok());
    ASSERT_TRUE(opened->storage->Append(LogIndex(7), Numbered(7, 7, 2)).ok());
    ASSERT_TRUE(opened->storage->TrimPrefix(LogIndex(7)).ok());
    fs.PowerLoss();
    const auto again = Open(fs);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_LE(again->recovered.first_index, LogIndex(7));
    const uint64_t next = again->recovered.first_index.value + again->recovered.entries.size();
    EXPECT_TRUE(next == 61 || next == 8) << next;
  }
}

// Whatever was replaced meanwhile, and after a restart, too.
TEST_F(StorageTest, NoSegmentIsKeptLongerThanItsEntries) {
  for (const bool restart : {false, true}) {
    sim::SimFileSystem fs(1);
    auto opened = Open(fs);
    ASSERT_TRUE(opened.ok());
    for (uint64_t i = 1; i <= 60; ++i) {
      ASSERT_TRUE(opened->storage->Append(LogIndex(i), Numbered(i, i)).ok());
    }
    for (uint64_t i = 5; i <= 30; ++i) {
      ASSERT_TRUE(opened->storage->Append(LogIndex(i), Numbered(i, i, 2)).ok());
    }
    ASSERT_TRUE(opened->storage->Sync().ok());
    if (restart) {
      opened = absl::CancelledError();
      fs.KillProcess();
      opened = Open(fs);
      ASSERT_TRUE(opened.ok());
    }
    const auto segments = [&] {
      const std::vector<std::string> files = fs.Files();
      return std::count_if(files.begin(), files.end(),
                           [](const std::string& f) { return f.find("/log-") != f.npos; });
    };
    const ptrdiff_t before = segments();
    ASSERT_TRUE(PrepareAndSave(*opened->storage, MakeSnapshot(6, 2, "six")).ok());
    ASSERT_TRUE(opened->storage->TrimPrefix(LogIndex(7)).ok());
    EXPECT_LE(segments(), before / 2) << "those of the first sixty are not needed";
    ASSERT_TRUE(PrepareAndSave(*opened->storage, MakeSnapshot(30, 2, "thirty")).ok());
    ASSERT_TRUE(opened->storage->TrimPrefix(LogIndex(31)).ok());
    EXPECT_EQ(segments(), 1);
  }
}

TEST_F(StorageTest, TheSameSnapshotIsReceivedWhileItIsPrepared) {
  {
    OpenedStorage opened = MustOpen();
    ASSERT_TRUE(opened.storage->Append(LogIndex(1), Numbered(1, 20)).ok());
    ASSERT_TRUE(opened.storage->PrepareSnapshot(MakeSnapshot(20, 1, "state")).ok());
    ASSERT_TRUE(opened.storage->InstallSnapshot(MakeSnapshot(20, 1, "state")).ok());
    ASSERT_TRUE(opened.storage->SaveSnapshot(LogIndex(20)).ok());
  }
  fs_.KillProcess();
  const Recovered recovered = MustOpen().recovered;
  ASSERT_TRUE(recovered.snapshot.has_value());
  EXPECT_EQ(*recovered.snapshot->state, "state");
}

TEST_F(StorageTest, AnInstalledSnapshotEmptiesTheLog) {
  {
    OpenedStorage opened = MustOpen();
    for (uint64_t i = 1; i <= 30; ++i) {
      ASSERT_TRUE(opened.storage->Append(LogIndex(i), Numbered(i, i)).ok());
    }
    ASSERT_GT(Segments(), 1);
    ASSERT_TRUE(opened.storage->InstallSnapshot(MakeSnapshot(25, 2, "state")).ok());
    EXPECT_EQ(Segments(), 1) << "nothing of the others is needed";
    ASSERT_TRUE(opened.storage->Append(LogIndex(26), Numbered(26, 27, 2)).ok());
    ASSERT_TRUE(opened.storage->Sync().ok());
    EXPECT_EQ(opened.storage->Append(LogIndex(25), Numbered(25, 25)).code(),
              absl::StatusCode::kInvalidArgument)
        << "an entry inside the snapshot is never replaced";
  }
  const Recovered recovered = AfterPowerLoss();
  EXPECT_EQ(recovered.first_index, LogIndex(26));
  EXPECT_EQ(recovered.entries.size(), 2u);
}

TEST_F(StorageTest, AnotherBranchsFolderIsRefused) {
  MustOpen();
  for (const Identity& other : {Identity{7, BranchId(3)}, Identity{8, BranchId(2)}}) {
    const absl::Status refused =
        OpenStorage(fs_, kFolder, other, kSmall, OnDamage::kRebuild).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.message()), HasSubstr("belongs to branch 2 of bank 7"));
  }
}

TEST_F(StorageTest, AFolderHasOneUserAtATime) {
  OpenedStorage opened = MustOpen();
  const absl::Status refused = Open(fs_).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("in use by another process"));
  opened.storage.reset();
  EXPECT_TRUE(Open(fs_).ok());
}

TEST_F(StorageTest, NothingIsWrittenAfterAFailure) {
  OpenedStorage opened = MustOpen();
  ASSERT_TRUE(opened.storage->Append(LogIndex(1), Numbered(1, 1)).ok());
  fs_.FailNext(sim::DiskCall::kSync, absl::UnknownError("EIO"));
  EXPECT_FALSE(opened.storage->Sync().ok());
  const uint64_t calls = fs_.calls();
  EXPECT_FALSE(opened.storage->Sync().ok());
  EXPECT_FALSE(opened.storage->Append(LogIndex(2), Numbered(2, 2)).ok());
  EXPECT_EQ(fs_.calls(), calls);
}

TEST_F(StorageTest, NoVoteIsGivenAfterOneThatFailed) {
  OpenedStorage opened = MustOpen();
  fs_.FailNext(sim::DiskCall::kSync, absl::UnknownError("EIO"));
  EXPECT_FALSE(opened.storage->WriteHardState({Term(3), BranchId(1)}).ok());
  const uint64_t calls = fs_.calls();
  EXPECT_FALSE(opened.storage->WriteHardState({Term(3), BranchId(2)}).ok());
  EXPECT_FALSE(opened.storage->FinishRebuild(Term(3)).ok());
  EXPECT_EQ(fs_.calls(), calls);
}

TEST_F(StorageTest, ASmallBankTakesLittleRoom) {
  ASSERT_TRUE(OpenStorage(fs_, kFolder, kIdentity, {}, OnDamage::kRefuse).ok());
  EXPECT_LE(fs_.used_bytes(), 128u << 10);
}

}  // namespace
}  // namespace bank::storage
