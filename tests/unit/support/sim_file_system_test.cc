// Goal: the simulated disk keeps the promises of file_system.h, breaks every other one, and does
// the same again for the same seed. Method: small scenes over many seeds, counting what happened.
#include "tests/support/sim_file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bank::sim {
namespace {

using ::testing::ElementsAre;

std::unique_ptr<storage::File> MustOpen(SimFileSystem& fs, const std::string& path) {
  EXPECT_TRUE(fs.MakeDirectory("d").ok());
  auto file = fs.Open(path, true);
  EXPECT_TRUE(file.ok()) << file.status();
  return std::move(*file);
}

TEST(SimFileSystem, SyncedBytesUnderSyncedNamesSurvive) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SimFileSystem fs(seed);
    auto file = MustOpen(fs, "d/a");
    ASSERT_TRUE(file->WriteAt(0, "kept").ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(fs.SyncDirectory("d").ok());
    fs.PowerLoss();
    EXPECT_EQ(fs.ReadAll("d/a").value(), "kept");
    EXPECT_EQ(file->WriteAt(0, "x").code(), absl::StatusCode::kUnavailable);
  }
}

TEST(SimFileSystem, UnsyncedSectorsTearInAnySubsetAndVersion) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    SimFileSystem fs(seed);
    auto file = MustOpen(fs, "d/a");
    ASSERT_TRUE(file->WriteAt(0, std::string(1024, '0')).ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(fs.SyncDirectory("d").ok());
    ASSERT_TRUE(file->WriteAt(0, std::string(1024, '1')).ok());
    ASSERT_TRUE(file->WriteAt(512, std::string(512, '2')).ok());
    fs.PowerLoss();
    const std::string bytes = fs.ReadAll("d/a").value();
    ASSERT_EQ(bytes, std::string(512, bytes[0]) + std::string(512, bytes[512]));
    outcomes.insert({bytes[0], bytes[512]});
  }
  EXPECT_THAT(outcomes, ElementsAre("00", "01", "02", "10", "11", "12"));
}

TEST(SimFileSystem, UnsyncedNamesVanishOrAppear) {
  std::set<std::vector<std::string>> outcomes;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SimFileSystem fs(seed);
    auto file = MustOpen(fs, "d/a");
    ASSERT_TRUE(fs.SyncDirectory("d").ok());
    ASSERT_TRUE(fs.Rename("d/a", "d/b").ok());
    auto other = MustOpen(fs, "d/c");
    fs.PowerLoss();
    outcomes.insert(fs.Files());
  }
  EXPECT_EQ(outcomes.size(), 4u);  // a or b, with or without c
}

TEST(SimFileSystem, ANameThatWasMovedOrLostDoesNotComeBack) {
  for (const bool lost : {true, false}) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      SimFileSystem fs(seed);
      ASSERT_TRUE(fs.MakeDirectory("e").ok());
      MustOpen(fs, "d/a");
      if (lost) {
        fs.LoseFile("d/a");
      } else {
        ASSERT_TRUE(fs.Rename("d/a", "e/a").ok());
        ASSERT_TRUE(fs.SyncDirectory("e").ok());
      }
      ASSERT_TRUE(fs.SyncDirectory("d").ok());
      fs.PowerLoss();
      EXPECT_TRUE(absl::IsNotFound(fs.ReadAll("d/a").status()));
    }
  }
}

TEST(SimFileSystem, AFailedSyncForgetsWhatItLost) {
  bool lost = false;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SimFileSystem fs(seed);
    auto file = MustOpen(fs, "d/a");
    ASSERT_TRUE(fs.SyncDirectory("d").ok());
    ASSERT_TRUE(file->WriteAt(0, "hello").ok());
    fs.FailNext(DiskCall::kSync, absl::DataLossError("EIO"));
    EXPECT_FALSE(file->Sync().ok());
    EXPECT_TRUE(file->Sync().ok());
    EXPECT_EQ(fs.ReadAll("d/a").value(), "hello");
    fs.PowerLoss();
    lost = lost || fs.ReadAll("d/a").value().empty();
  }
  EXPECT_TRUE(lost);
}

TEST(SimFileSystem, AFullDiskTakesAPartAndMoreRoomHelps) {
  SimFileSystem fs(1);
  auto file = MustOpen(fs, "d/a");
  fs.SetCapacity(1024);
  EXPECT_EQ(file->WriteAt(0, std::string(4096, 'x')).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(fs.used_bytes(), 1024u);
  EXPECT_TRUE(file->WriteAt(0, std::string(1024, 'y')).ok());
  fs.SetCapacity(4096);
  EXPECT_TRUE(file->WriteAt(0, std::string(4096, 'z')).ok());
}

TEST(SimFileSystem, APowerCutStopsEverythingUntilItIsSettled) {
  SimFileSystem fs(1);
  auto file = MustOpen(fs, "d/a");
  auto held = fs.Lock("d/LOCK");
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(fs.Lock("d/LOCK").status().code(), absl::StatusCode::kFailedPrecondition);
  fs.CutPowerAtCall(1);
  EXPECT_TRUE(file->WriteAt(0, "x").ok());
  EXPECT_EQ(file->Sync().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(fs.ReadAll("d/a").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(fs.powered());
  fs.PowerLoss();
  auto again = fs.Lock("d/LOCK");
  ASSERT_TRUE(again.ok());
  held->reset();  // the dead process's lock frees nobody else's
  EXPECT_FALSE(fs.Lock("d/LOCK").ok());
}

TEST(SimFileSystem, SameSeedSameOutcome) {
  const auto run = [](uint64_t seed) {
    SimFileSystem fs(seed);
    auto file = MustOpen(fs, "d/a");
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(file->WriteAt(static_cast<uint64_t>(i) * 300, std::string(700, 'a')).ok());
    }
    EXPECT_TRUE(fs.SyncDirectory("d").ok());
    fs.PowerLoss();
    return fs.Cached();
  };
  EXPECT_EQ(run(7), run(7));
}

}  // namespace
}  // namespace bank::sim
