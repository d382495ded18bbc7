// Goal: no damage to a folder at rest ever changes what a branch believes; it is refused with file
// and offset, or does not matter. Method: one folder with everything in it; flip every byte, blank
// every sector, lose every file, one at a time, and start.
#include <limits>

#include "branch/storage/dual_copy_file.h"
#include "branch/storage/log_format.h"
#include "tests/support/storage_model.h"

namespace bank::storage {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A folder with a vote, a snapshot, several segments, a replaced suffix and room ahead.
sim::SimFileSystem::Image UsedFolder() {
  sim::SimFileSystem fs(1);
  absl::StatusOr<OpenedStorage> opened = Open(fs);
  EXPECT_TRUE(opened.ok());
  Storage& storage = *opened->storage;
  EXPECT_TRUE(storage.WriteHardState({Term(2), BranchId(3)}).ok());
  for (uint64_t i = 1; i <= 14; ++i) {
    const std::vector<Entry> entries = {MakeEntry(1, std::string(60 * i, 'p'))};
    EXPECT_TRUE(storage.Append(LogIndex(i), entries).ok());
    EXPECT_TRUE(storage.Sync().ok());
  }
  EXPECT_TRUE(PrepareAndSave(storage, MakeSnapshot(8, 1, std::string(300, 's'))).ok());
  EXPECT_TRUE(storage.TrimPrefix(LogIndex(7)).ok());
  const std::vector<Entry> entries = {MakeEntry(2, "replaced"), MakeEntry(2, "last")};
  EXPECT_TRUE(storage.Append(LogIndex(13), entries).ok());
  EXPECT_TRUE(storage.Sync().ok());
  opened = absl::CancelledError();
  fs.KillProcess();
  return fs.Cached();
}

std::string Undamaged(const sim::SimFileSystem::Image& image) {
  sim::SimFileSystem fs(1, image);
  const absl::StatusOr<OpenedStorage> opened = Open(fs);
  EXPECT_TRUE(opened.ok()) << opened.status();
  EXPECT_THAT(opened->recovered.notes, IsEmpty());
  return Text(opened->recovered);
}

// Refused as damage, or as if nothing had happened. True if it was refused.
bool NoticedOrHarmless(sim::SimFileSystem& fs, const std::string& expected) {
  const absl::StatusOr<OpenedStorage> opened = Open(fs);
  if (opened.ok()) {
    EXPECT_EQ(Text(opened->recovered), expected);
    return false;
  }
  EXPECT_TRUE(absl::IsDataLoss(opened.status())) << opened.status();
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr(kFolder + "/"));
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr(" at offset "));
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("--rebuild"));
  return true;
}

// Of whose content there is a second copy in the file.
bool IsTwin(const std::string& path) {
  return path == kFolder + "/vote" || path == kFolder + "/mark";
}

TEST(StorageDamage, AFlippedByteAnywhereIsNoticedOrHarmless) {
  const sim::SimFileSystem::Image image = UsedFolder();
  const std::string expected = Undamaged(image);
  for (const auto& [path, bytes] : image) {
    for (uint64_t offset = 0; offset < bytes.size(); ++offset) {
      SCOPED_TRACE(testing::Message() << path << " offset " << offset);
      sim::SimFileSystem fs(1, image);
      fs.FlipByte(path, offset, static_cast<uint8_t>(1u << (offset % 8)));
      const bool noticed = NoticedOrHarmless(fs, expected);
      // In all files but those every byte counts, blank ones too.
      EXPECT_EQ(noticed, !IsTwin(path));
      ASSERT_FALSE(testing::Test::HasFailure());
    }
  }
}

TEST(StorageDamage, ALostSectorIsNoticedOrHarmless) {
  const sim::SimFileSystem::Image image = UsedFolder();
  const std::string expected = Undamaged(image);
  for (const auto& [path, bytes] : image) {
    for (uint64_t offset = 0; offset < bytes.size(); offset += sim::kSectorBytes) {
      SCOPED_TRACE(testing::Message() << path << " offset " << offset);
      sim::SimFileSystem fs(1, image);
      fs.ZeroSectors(path, offset, 1);
      const bool changed = fs.Content(path) != bytes;
      EXPECT_EQ(NoticedOrHarmless(fs, expected), changed && !IsTwin(path));
      ASSERT_FALSE(testing::Test::HasFailure());
    }
  }
}

TEST(StorageDamage, AFileThatIsCutShortIsNoticedOrHarmless) {
  const sim::SimFileSystem::Image image = UsedFolder();
  const std::string expected = Undamaged(image);
  for (const auto& [path, bytes] : image) {
    for (uint64_t size = 0; size < bytes.size(); size += 13) {
      SCOPED_TRACE(testing::Message() << path << " size " << size);
      sim::SimFileSystem::Image cut = image;
      cut[path].resize(size);
      sim::SimFileSystem fs(1, cut);
      NoticedOrHarmless(fs, expected);
      ASSERT_FALSE(testing::Test::HasFailure());
    }
  }
}

TEST(StorageDamage, AMissingFileIsNoticed) {
  const sim::SimFileSystem::Image image = UsedFolder();
  const std::string expected = Undamaged(image);
  for (const auto& [path, bytes] : image) {
    SCOPED_TRACE(path);
    sim::SimFileSystem fs(1, image);
    fs.LoseFile(path);
    EXPECT_EQ(NoticedOrHarmless(fs, expected), path != kFolder + "/LOCK");
  }
}

TEST(StorageDamage, AFileFromElsewhereIsNoticed) {
  const sim::SimFileSystem::Image image = UsedFolder();
  const std::string expected = Undamaged(image);
  for (const auto& [to, old_bytes] : image) {
    for (const auto& [from, bytes] : image) {
      if (old_bytes == bytes) continue;
      SCOPED_TRACE(from + " as " + to);
      sim::SimFileSystem::Image mixed = image;
      mixed[to] = bytes;
      sim::SimFileSystem fs(1, mixed);
      EXPECT_EQ(NoticedOrHarmless(fs, expected), to != kFolder + "/LOCK");
    }
  }
}

// As a disk does that writes a sector to the wrong place.
TEST(StorageDamage, ASectorOfAnotherPlaceIsNoticed) {
  const sim::SimFileSystem::Image image = UsedFolder();
  const std::string expected = Undamaged(image);
  const auto is_log = [](const std::string& path) {
    return path.find("/log-") != std::string::npos;
  };
  for (const auto& [to, old_bytes] : image) {
    for (const auto& [from, bytes] : image) {
      if (!is_log(to) || !is_log(from)) continue;
      for (size_t at = 0; at < old_bytes.size(); at += sim::kSectorBytes) {
        for (size_t of = 0; of < bytes.size(); of += sim::kSectorBytes) {
          const std::string sector = bytes.substr(of, sim::kSectorBytes);
          if ((to == from && at == of) || sector.find_first_not_of('\0') == sector.npos) continue;
          SCOPED_TRACE(testing::Message() << from << " " << of << " at " << to << " " << at);
          sim::SimFileSystem::Image mixed = image;
          mixed[to].replace(at, sim::kSectorBytes, sector);
          sim::SimFileSystem fs(1, mixed);
          ASSERT_TRUE(NoticedOrHarmless(fs, expected));
        }
      }
    }
  }
}

// Each file has its own purpose, and none of its copies is another one's.
class DualCopyFileTest : public testing::Test {
 protected:
  DualCopyFileTest() {
    EXPECT_TRUE(fs_.MakeDirectory(kFolder).ok());
    EXPECT_TRUE(file_.Create("one").ok());
  }
  // What is read when the copy at `offset` is damaged.
  std::string WithoutCopyAt(uint64_t offset) {
    sim::SimFileSystem fs(1, fs_.Cached());
    fs.FlipByte(path_, offset + 20, 0x01);
    std::vector<std::string> notes;
    const auto record = DualCopyFile(fs, path_, kIdentity, "PURPOSE1").Load(&notes);
    EXPECT_EQ(notes.size(), 1u);
    return record.ok() ? *record : record.status().ToString();
  }

  const std::string path_ = kFolder + "/twin";
  sim::SimFileSystem fs_{1};
  DualCopyFile file_{fs_, path_, kIdentity, "PURPOSE1"};
};

TEST_F(DualCopyFileTest, TheSecondCopyIsNotTouchedBeforeTheFirstIsDurable) {
  fs_.FailNext(sim::DiskCall::kSync, absl::UnknownError("Input/output error"));
  EXPECT_FALSE(file_.Write("two").ok());
  EXPECT_EQ(WithoutCopyAt(0), "one");
}

TEST_F(DualCopyFileTest, LazyWritesTakeTurns) {
  ASSERT_TRUE(file_.WriteLazily("two").ok());
  ASSERT_TRUE(file_.WriteLazily("three").ok());
  EXPECT_EQ(WithoutCopyAt(0), "three");
  EXPECT_EQ(WithoutCopyAt(4096), "two");
}

// The last batch, acknowledged, with nothing behind it: told from a torn write, because a torn
// write leaves whole sectors.
TEST(StorageDamage, TheLastBatchIsProtectedEvenWithoutItsMark) {
  sim::SimFileSystem::Image image = UsedFolder();
  sim::SimFileSystem older(1);
  absl::StatusOr<OpenedStorage> opened = Open(older);
  ASSERT_TRUE(opened.ok());
  const sim::SimFileSystem::Image fresh = older.Cached();  // the mark as a power loss may leave it
  ASSERT_TRUE(opened->storage->Append(LogIndex(1), std::vector{MakeEntry(1, "only")}).ok());
  ASSERT_TRUE(opened->storage->Sync().ok());
  image = older.Cached();
  image[kFolder + "/mark"] = fresh.at(kFolder + "/mark");
  for (uint64_t offset = 512; offset < 1024; ++offset) {
    sim::SimFileSystem fs(1, image);
    fs.FlipByte(kFolder + "/log-00000000000000000001", offset, 0x10);
    ASSERT_TRUE(absl::IsDataLoss(Open(fs).status())) << offset;
  }
}

// Whole by its checksum, and yet nothing that was ever written.
TEST(StorageDamage, RecordsThatMakeNoSenseAreRefused) {
  const SectorSeal seal(kIdentity, 1);
  const auto read = [&](const SegmentHeader& header, const BatchHeader& batch,
                        const std::vector<Entry>& entries) {
    std::string bytes;
    EncodeSegmentHeader(kIdentity, header, &bytes);
    EncodeBatch(seal, bytes.size(), batch, entries, &bytes);
    return DecodeSegment(kIdentity, 1, bytes, "log").status();
  };
  const SegmentHeader header{1, 1, LogIndex(1), 0};
  const std::vector<Entry> one = {MakeEntry(1, "one")};
  EXPECT_TRUE(read(header, {BatchKind::kEntries, 1, LogIndex(1), {}}, one).ok());
  EXPECT_TRUE(read(header, {BatchKind::kReset, 1, LogIndex(9), {}}, {}).ok());
  const LogIndex last(std::numeric_limits<uint64_t>::max());
  for (const absl::Status& status :
       {read({1, 0, LogIndex(1), 0}, {BatchKind::kEntries, 0, LogIndex(1), {}}, one),
        read({1, 1, LogIndex(0), 0}, {BatchKind::kEntries, 1, LogIndex(1), {}}, one),
        read(header, {BatchKind::kEntries, 1, LogIndex(0), {}}, one),
        read(header, {BatchKind::kEntries, 1, LogIndex(1), {}}, {}),
        read(header, {BatchKind::kEntries, 1, last, {}}, one),
        read(header, {BatchKind::kReset, 1, LogIndex(9), {}}, one),
        read(header, {BatchKind{7}, 1, LogIndex(1), {}}, one)}) {
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  }
}

TEST(StorageDamage, OnlyASectorOfZerosIsBlank) {
  const SectorSeal seal(kIdentity, 1);
  std::string sector(sim::kSectorBytes, '\0');
  EXPECT_EQ(seal.Check(sector, 3), SectorKind::kBlank);
  for (char& byte : sector) {
    byte = 1;
    EXPECT_EQ(seal.Check(sector, 3), SectorKind::kDamaged);
    byte = 0;
  }
}

TEST(StorageDamage, AFileThatGrewIsNoticedOrHarmless) {
  const sim::SimFileSystem::Image image = UsedFolder();
  const std::string expected = Undamaged(image);
  for (const auto& [path, bytes] : image) {
    SCOPED_TRACE(path);
    sim::SimFileSystem::Image longer = image;
    longer[path] += "x";
    sim::SimFileSystem fs(1, longer);
    const bool twin = path == kFolder + "/vote" || path == kFolder + "/mark";
    EXPECT_EQ(NoticedOrHarmless(fs, expected), !twin && path != kFolder + "/LOCK");
  }
}

TEST(StorageDamage, ASnapshotUnderAnotherIndexIsNoticed) {
  sim::SimFileSystem fs(1, UsedFolder());
  const std::string path = kFolder + "/snapshot-0000000000000000000";
  ASSERT_TRUE(fs.Rename(path + "8", path + "9").ok());
  EXPECT_TRUE(absl::IsDataLoss(Open(fs).status()));
}

TEST(StorageDamage, AVoteInAnUnknownPhaseIsRefused) {
  sim::SimFileSystem fs(1);
  ASSERT_TRUE(Open(fs).ok());
  std::string record(25, '\0');
  record.back() = 4;
  ASSERT_TRUE(DualCopyFile(fs, kFolder + "/vote", kIdentity, "BANKVOT1").Create(record).ok());
  EXPECT_TRUE(absl::IsDataLoss(Open(fs).status()));
}

class RebuildTest : public testing::Test {
 protected:
  // A folder in which one byte of the oldest segment is flipped.
  static sim::SimFileSystem::Image DamagedFolder() {
    sim::SimFileSystem fs(1, UsedFolder());
    for (const std::string& path : fs.Files()) {
      if (path.find("/log-") == std::string::npos) continue;
      fs.FlipByte(path, 700, 0xff);
      break;
    }
    return fs.Cached();
  }
};

TEST_F(RebuildTest, SetsAsideAndWaitsUntilItIsFinished) {
  sim::SimFileSystem fs(1, DamagedFolder());
  ASSERT_TRUE(absl::IsDataLoss(Open(fs).status()));
  {
    absl::StatusOr<OpenedStorage> opened = Open(fs, OnDamage::kRebuild);
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_TRUE(opened->recovered.rebuilding);
    EXPECT_FALSE(opened->recovered.fresh);
    EXPECT_THAT(opened->recovered.entries, IsEmpty());
    EXPECT_FALSE(opened->recovered.snapshot.has_value());
    EXPECT_EQ(opened->recovered.hard_state, (HardState{Term(2), BranchId(3)})) << "vote kept";
    EXPECT_THAT(opened->recovered.notes, Not(IsEmpty()));
    ASSERT_TRUE(opened->storage->InstallSnapshot(MakeSnapshot(30, 2, "from the others")).ok());
  }
  const std::vector<std::string> aside = fs.List(kFolder + "/damaged-1").value();
  EXPECT_GT(aside.size(), 3u);
  fs.PowerLoss();
  {
    absl::StatusOr<OpenedStorage> opened = Open(fs);
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_TRUE(opened->recovered.rebuilding) << "from an earlier start";
    EXPECT_EQ(opened->recovered.first_index, LogIndex(31));
    ASSERT_TRUE(opened->storage->FinishRebuild(Term(9)).ok());
  }
  fs.PowerLoss();
  const absl::StatusOr<OpenedStorage> opened = Open(fs, OnDamage::kRebuild);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_FALSE(opened->recovered.rebuilding) << "a sound folder is not rebuilt again";
  EXPECT_EQ(opened->recovered.vote_floor, Term(9));
  EXPECT_EQ(fs.List(kFolder + "/damaged-1").value(), aside);
}

TEST_F(RebuildTest, TheTermsWithoutAVoteNeverBecomeFewer) {
  sim::SimFileSystem fs(1, UsedFolder());
  {
    absl::StatusOr<OpenedStorage> opened = Open(fs);
    ASSERT_TRUE(opened.ok()) << opened.status();
    ASSERT_TRUE(opened->storage->FinishRebuild(Term(9)).ok());
    ASSERT_TRUE(opened->storage->BeginRebuild().ok());
    ASSERT_TRUE(opened->storage->FinishRebuild(Term(5)).ok());
  }
  fs.PowerLoss();
  EXPECT_EQ(Open(fs)->recovered.vote_floor, Term(9));
}

TEST_F(RebuildTest, AFolderMarkedAsLostIsRefusedUntilItIsRebuilt) {
  sim::SimFileSystem fs(1, UsedFolder());
  {
    absl::StatusOr<OpenedStorage> opened = Open(fs);
    ASSERT_TRUE(opened.ok()) << opened.status();
    ASSERT_TRUE(opened->storage->MarkLost().ok());
  }
  fs.PowerLoss();
  EXPECT_TRUE(absl::IsDataLoss(Open(fs).status()));
  EXPECT_TRUE(absl::IsDataLoss(Open(fs).status())) << "at every start";
  {
    const absl::StatusOr<OpenedStorage> opened = Open(fs, OnDamage::kRebuild);
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_TRUE(opened->recovered.rebuilding);
    EXPECT_THAT(opened->recovered.entries, IsEmpty());
    EXPECT_EQ(opened->recovered.hard_state, (HardState{Term(2), BranchId(3)})) << "vote kept";
    ASSERT_TRUE(opened->storage->FinishRebuild(Term(9)).ok());
  }
  EXPECT_TRUE(Open(fs).ok());
}

TEST(StorageDamage, AFolderThatWasUsedIsNotTakenForANewOneBecauseItsIdentityIsGone) {
  {
    sim::SimFileSystem fs(1);
    ASSERT_TRUE(Open(fs)->storage->WriteHardState({Term(3), BranchId(1)}).ok());
    fs.LoseFile(kFolder + "/identity");
    EXPECT_TRUE(absl::IsDataLoss(Open(fs).status())) << "it has voted";
  }
  {
    sim::SimFileSystem fs(1);
    ASSERT_TRUE(Open(fs)->storage->Append(LogIndex(1), std::vector{MakeEntry(1, "one")}).ok());
    fs.LoseFile(kFolder + "/identity");
    EXPECT_TRUE(absl::IsDataLoss(Open(fs).status())) << "it has an entry";
  }
  {
    sim::SimFileSystem fs(1);
    ASSERT_TRUE(fs.MakeDirectory(kFolder + "/damaged-1").ok());
    EXPECT_TRUE(absl::IsDataLoss(Open(fs).status())) << "it was damaged before";
  }
}

TEST_F(RebuildTest, AWipedFolderIsNotTakenForANewOne) {
  sim::SimFileSystem fs(1);
  const absl::StatusOr<OpenedStorage> opened = Open(fs, OnDamage::kRebuild);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(opened->recovered.rebuilding);
  EXPECT_FALSE(opened->recovered.fresh);
}

TEST_F(RebuildTest, WorksWhicheverFileIsLostOrDamaged) {
  const sim::SimFileSystem::Image image = UsedFolder();
  for (const auto& [path, bytes] : image) {
    for (const bool lost : {true, false}) {
      if (path == kFolder + "/LOCK") continue;
      SCOPED_TRACE(path + (lost ? " lost" : " emptied"));
      sim::SimFileSystem fs(1, image);
      if (lost) {
        fs.LoseFile(path);
      } else {
        for (uint64_t at = 0; at < bytes.size(); at += 64) fs.FlipByte(path, at, 0x55);
      }
      absl::StatusOr<OpenedStorage> opened = Open(fs, OnDamage::kRebuild);
      ASSERT_TRUE(opened.ok()) << opened.status();
      EXPECT_TRUE(opened->recovered.rebuilding);
      const bool vote_lost = path == kFolder + "/vote";
      EXPECT_EQ(opened->recovered.hard_state,
                vote_lost ? HardState() : (HardState{Term(2), BranchId(3)}));
      ASSERT_TRUE(opened->storage->FinishRebuild(Term(5)).ok());
      opened = absl::CancelledError();
      fs.PowerLoss();
      EXPECT_TRUE(Open(fs).ok());
    }
  }
}

TEST_F(RebuildTest, MayBeCutShortAnywhere) {
  for (const std::string damaged : {"log", "vote", "log and vote"}) {
    sim::SimFileSystem::Image image = damaged == "vote" ? UsedFolder() : DamagedFolder();
    if (damaged != "log") image[kFolder + "/vote"] = std::string(8192, 'x');
    bool finished = false;  // the fault was to come later than all calls
    for (uint64_t call = 0; !finished; ++call) {
      for (uint64_t seed = 0; seed < 8; ++seed) {
        SCOPED_TRACE(testing::Message() << damaged << " call " << call << " seed " << seed);
        sim::SimFileSystem fs(seed, image);
        if (seed % 2 == 0) {
          fs.CutPowerAtCall(call);
          finished = Open(fs, OnDamage::kRebuild).ok() && fs.calls() <= call;
          fs.PowerLoss();
        } else {
          fs.FailCall(call, absl::UnknownError("Input/output error"));
          finished = Open(fs, OnDamage::kRebuild).ok() && fs.calls() <= call;
          fs.KillProcess();
          fs.CutPowerAtCall(seed * 3);
          (void)Open(fs);
          fs.PowerLoss();
        }
        // Without the flag it goes on, or still refuses; it never starts as if it were sound.
        if (absl::StatusOr<OpenedStorage> opened = Open(fs); opened.ok()) {
          EXPECT_TRUE(opened->recovered.rebuilding);
        } else {
          EXPECT_TRUE(absl::IsDataLoss(opened.status())) << opened.status();
        }
        const absl::StatusOr<OpenedStorage> opened = Open(fs, OnDamage::kRebuild);
        ASSERT_TRUE(opened.ok()) << opened.status();
        EXPECT_TRUE(opened->recovered.rebuilding);
        EXPECT_THAT(opened->recovered.entries, IsEmpty());
        // Nothing was deleted.
        size_t segments = 0;
        for (const std::string& path : fs.Files()) {
          if (path.find("/damaged-") != std::string::npos &&
              path.find("/log-") != std::string::npos && fs.Content(path).size() > 1024) {
            ++segments;
          }
        }
        EXPECT_GE(segments, 2u);
        ASSERT_FALSE(testing::Test::HasFailure());
      }
    }
  }
}

}  // namespace
}  // namespace bank::storage
