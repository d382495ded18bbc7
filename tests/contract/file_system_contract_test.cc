// Goal: the real disk and the simulated one do the same for whoever keeps to file_system.h, so that
// what the simulation shows of the storage is true of files. Method: one suite, run on both; what
// only one of them can show (power loss, real errors) has tests of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "branch/storage/posix_file_system.h"
#include "tests/support/sim_file_system.h"
#include "tests/support/temp_folder.h"

namespace bank::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <class Disk>
std::unique_ptr<FileSystem> Make() {
  if constexpr (std::is_same_v<Disk, sim::SimFileSystem>) {
    return std::make_unique<Disk>(/*seed=*/1);
  } else {
    return std::make_unique<Disk>();
  }
}

template <class Disk>
class FileSystemContract : public ::testing::Test {
 protected:
  FileSystemContract() { EXPECT_TRUE(fs_->MakeDirectory(folder_).ok()); }

  std::string Of(std::string_view name) const { return folder_ + "/" + std::string(name); }
  std::unique_ptr<File> Open(std::string_view name) {
    auto file = fs_->Open(Of(name), /*create=*/true);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  }
  std::string Read(std::string_view name) {
    const auto bytes = fs_->ReadAll(Of(name));
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return bytes.value_or("unreadable");
  }

  const TempFolder root_;
  const std::string folder_ = root_.Of("a/b");
  const std::unique_ptr<FileSystem> fs_ = Make<Disk>();
};

using Disks = ::testing::Types<PosixFileSystem, sim::SimFileSystem>;
TYPED_TEST_SUITE(FileSystemContract, Disks);

TYPED_TEST(FileSystemContract, WhatIsWrittenIsRead) {
  auto file = this->Open("x");
  EXPECT_EQ(this->Read("x"), "");
  ASSERT_TRUE(file->WriteAt(0, "abcdef").ok());
  ASSERT_TRUE(file->WriteAt(2, "XY").ok());
  EXPECT_EQ(this->Read("x"), "abXYef");
  ASSERT_TRUE(file->WriteAt(8, "z").ok());
  EXPECT_EQ(this->Read("x"), std::string("abXYef\0\0z", 9)) << "a hole reads as zeros";
  EXPECT_EQ(file->Size().value(), 9u);
  ASSERT_TRUE(file->WriteAt(4, "").ok());
  EXPECT_EQ(file->Size().value(), 9u);
  EXPECT_TRUE(file->Sync().ok());
}

TYPED_TEST(FileSystemContract, OpeningAgainKeepsWhatIsThere) {
  ASSERT_TRUE(this->Open("x")->WriteAt(0, "abc").ok());
  EXPECT_EQ(this->Open("x")->Size().value(), 3u);
  EXPECT_EQ(this->Read("x"), "abc");
  auto file = this->fs_->Open(this->Of("x"), /*create=*/false);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->WriteAt(3, "d").ok());
  EXPECT_EQ(this->Read("x"), "abcd");
}

TYPED_TEST(FileSystemContract, TruncateShortensAndLengthens) {
  auto file = this->Open("x");
  ASSERT_TRUE(file->WriteAt(0, "abcdef").ok());
  ASSERT_TRUE(file->Truncate(2).ok());
  EXPECT_EQ(this->Read("x"), "ab");
  ASSERT_TRUE(file->Truncate(4).ok());
  EXPECT_EQ(this->Read("x"), std::string("ab\0\0", 4)) << "what was cut off does not come back";
}

TYPED_TEST(FileSystemContract, AllocateReadsAsZerosAndNeverShortens) {
  auto file = this->Open("x");
  ASSERT_TRUE(file->WriteAt(0, "ab").ok());
  ASSERT_TRUE(file->Allocate(1000).ok());
  EXPECT_EQ(this->Read("x"), "ab" + std::string(998, '\0'));
  ASSERT_TRUE(file->Allocate(10).ok());
  EXPECT_EQ(file->Size().value(), 1000u);
}

TYPED_TEST(FileSystemContract, WhatIsNotThereIsNotFound) {
  FileSystem& fs = *this->fs_;
  EXPECT_TRUE(absl::IsNotFound(fs.Open(this->Of("x"), /*create=*/false).status()));
  EXPECT_TRUE(absl::IsNotFound(fs.Open(this->Of("no/x"), /*create=*/true).status()));
  EXPECT_TRUE(absl::IsNotFound(fs.ReadAll(this->Of("x")).status()));
  EXPECT_TRUE(absl::IsNotFound(fs.Rename(this->Of("x"), this->Of("y"))));
  EXPECT_TRUE(absl::IsNotFound(fs.Remove(this->Of("x"))));
  EXPECT_TRUE(absl::IsNotFound(fs.List(this->Of("no")).status()));
  EXPECT_FALSE(fs.SyncDirectory(this->Of("no")).ok());
  EXPECT_THAT(fs.List(this->folder_).value(), IsEmpty());
}

TYPED_TEST(FileSystemContract, RenameReplacesAndOpenFilesGoOn) {
  auto one = this->Open("one");
  ASSERT_TRUE(one->WriteAt(0, "one").ok());
  auto two = this->Open("two");
  ASSERT_TRUE(two->WriteAt(0, "two").ok());
  ASSERT_TRUE(this->fs_->Rename(this->Of("one"), this->Of("two")).ok());
  ASSERT_TRUE(this->fs_->SyncDirectory(this->folder_).ok());
  EXPECT_THAT(this->fs_->List(this->folder_).value(), ElementsAre("two"));
  ASSERT_TRUE(one->WriteAt(3, "!").ok());
  ASSERT_TRUE(two->WriteAt(0, "gone").ok()) << "an open file outlives its name";
  EXPECT_EQ(this->Read("two"), "one!");
}

TYPED_TEST(FileSystemContract, NamesAreListedInOrderWithoutWhatLiesBelow) {
  for (const char* name : {"b", "a", "c"}) this->Open(name);
  ASSERT_TRUE(this->fs_->MakeDirectory(this->Of("d/e")).ok());
  ASSERT_TRUE(this->fs_->MakeDirectory(this->Of("d/e")).ok()) << "a second time is no error";
  ASSERT_TRUE(this->fs_->Open(this->Of("d/e/f"), /*create=*/true).ok());
  EXPECT_THAT(this->fs_->List(this->Of("d/e")).value(), ElementsAre("f"));
  ASSERT_TRUE(this->fs_->Remove(this->Of("b")).ok());
  EXPECT_THAT(this->fs_->List(this->folder_).value(), ElementsAre("a", "c", "d"));
}

TYPED_TEST(FileSystemContract, ALockHasOneHolder) {
  auto held = this->fs_->Lock(this->Of("LOCK"));
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_TRUE(absl::IsFailedPrecondition(this->fs_->Lock(this->Of("LOCK")).status()));
  EXPECT_TRUE(this->fs_->Lock(this->Of("OTHER")).ok());
  held->reset();
  EXPECT_TRUE(this->fs_->Lock(this->Of("LOCK")).ok());
}

}  // namespace
}  // namespace bank::storage
