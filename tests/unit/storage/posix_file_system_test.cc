// Goal: the operating system's files keep the contract of file_system.h, and its errors name the
// path. Method: a real folder under the test's temporary one.
#include "branch/storage/posix_file_system.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include "tests/support/storage_model.h"
#include "tests/support/temp_folder.h"

namespace bank::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PosixFileSystemTest : public testing::Test {
 protected:
  PosixFileSystem fs_;
  const TempFolder folder_;
  const std::string& root_ = folder_.path();
};

TEST_F(PosixFileSystemTest, WritesReadsListsRenamesAndRemoves) {
  const std::string folder = root_ + "/a/b";
  ASSERT_TRUE(fs_.MakeDirectory(folder).ok());
  ASSERT_TRUE(fs_.MakeDirectory(folder).ok()) << "a second time is no error";
  auto file = fs_.Open(folder + "/x", /*create=*/true);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->WriteAt(3, "def").ok());
  ASSERT_TRUE((*file)->Allocate(4096).ok());
  ASSERT_TRUE((*file)->Sync().ok());
  EXPECT_EQ((*file)->Size().value(), 4096u);
  ASSERT_TRUE((*file)->Truncate(6).ok());
  EXPECT_EQ(fs_.ReadAll(folder + "/x").value(), std::string("\0\0\0def", 6));
  ASSERT_TRUE(fs_.Rename(folder + "/x", folder + "/y").ok());
  ASSERT_TRUE(fs_.SyncDirectory(folder).ok());
  EXPECT_THAT(fs_.List(folder).value(), ElementsAre("y"));
  ASSERT_TRUE(fs_.Remove(folder + "/y").ok());
  EXPECT_EQ(fs_.ReadAll(folder + "/y").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(PosixFileSystemTest, ErrorsNameThePathAndTheReason) {
  const absl::Status missing = fs_.Open(root_ + "/none/x", /*create=*/true).status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_THAT(std::string(missing.message()), HasSubstr(root_ + "/none/x"));
  EXPECT_THAT(std::string(missing.message()), HasSubstr("No such file"));
  ASSERT_TRUE(fs_.Open(root_ + "/file", /*create=*/true).ok());
  EXPECT_FALSE(fs_.MakeDirectory(root_ + "/file").ok());
}

TEST_F(PosixFileSystemTest, AFullDiskIsResourceExhausted) {
  auto file = fs_.Open("/dev/full", /*create=*/false);
  if (!file.ok()) GTEST_SKIP() << "no /dev/full here";
  const absl::Status full = (*file)->WriteAt(0, "x");
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_THAT(std::string(full.message()), HasSubstr("/dev/full"));
}

// Neither a device nor /proc can be synced, and only the kernel knows that.
TEST_F(PosixFileSystemTest, SyncsAreTheKernels) {
  auto file = fs_.Open("/dev/null", /*create=*/false);
  ASSERT_TRUE(file.ok());
  EXPECT_FALSE((*file)->Sync().ok());
  EXPECT_FALSE(fs_.SyncDirectory("/proc").ok());
}

// The kernel takes what fits below the limit, and refuses the rest.
TEST_F(PosixFileSystemTest, AWriteThatIsTakenInPartIsNoSuccess) {
  auto file = fs_.Open(root_ + "/short", /*create=*/true);
  ASSERT_TRUE(file.ok());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit low{1000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
  const absl::Status written = (*file)->WriteAt(0, std::string(2000, 'x'));
  EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(written.ok());
  EXPECT_EQ(fs_.ReadAll(root_ + "/short")->size(), 1000u);
}

// Opening a pipe waits for its other end, and a signal cuts such a wait short.
TEST_F(PosixFileSystemTest, ASignalIsNoError) {
  static std::atomic<int> signals;
  signals = 0;
  const std::string pipe = root_ + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  struct sigaction counting {
  }, before{};
  counting.sa_handler = [](int) { ++signals; };
  ASSERT_EQ(sigaction(SIGUSR1, &counting, &before), 0);
  std::atomic<bool> done = false;
  absl::StatusOr<std::string> bytes;
  std::thread reader([&] {
    bytes = fs_.ReadAll(pipe);
    done = true;
  });
  while (signals < 20 && !done) {
    pthread_kill(reader.native_handle(), SIGUSR1);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const int writer = open(pipe.c_str(), O_RDWR | O_NONBLOCK);
  reader.join();
  close(writer);
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
}

// Whoever may make a folder but not open its parent cannot sync that, and is told: without it the
// new folder may be gone after a power cut. A process without privileges tries it.
TEST_F(PosixFileSystemTest, ANewFoldersParentIsSyncedToo) {
  constexpr uid_t kNobody = 65534;
  if (geteuid() == 0 && chown(root_.c_str(), kNobody, kNobody) != 0) {
    GTEST_SKIP() << "no other user here";
  }
  ASSERT_EQ(chmod(root_.c_str(), 0300), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && seteuid(kNobody) != 0) _exit(3);
    const absl::Status made = fs_.MakeDirectory(root_ + "/new");
    _exit(made.ok() ? 1 : access((root_ + "/new").c_str(), F_OK) == 0 ? 0 : 2);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(chmod(root_.c_str(), 0700), 0);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) > 1) GTEST_SKIP() << "nobody else can make a folder here";
  EXPECT_EQ(WEXITSTATUS(status), 0) << "the folder was called made";
}

TEST_F(PosixFileSystemTest, ALockHasOneHolder) {
  auto held = fs_.Lock(root_ + "/LOCK");
  ASSERT_TRUE(held.ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_.Lock(root_ + "/LOCK").status()));
  held->reset();
  EXPECT_TRUE(fs_.Lock(root_ + "/LOCK").ok());
}

TEST_F(PosixFileSystemTest, CarriesAWholeDataFolder) {
  const std::string folder = root_ + "/data";
  LogState expected;
  for (int round = 0; round < 3; ++round) {
    auto opened = OpenStorage(fs_, folder, kIdentity, kSmall, OnDamage::kRefuse);
    ASSERT_TRUE(opened.ok()) << opened.status();
    ASSERT_TRUE(expected.Matches(opened->recovered)) << Text(opened->recovered);
    EXPECT_FALSE(OpenStorage(fs_, folder, kIdentity, kSmall, OnDamage::kRefuse).ok());
    for (int i = 0; i < 20; ++i) {
      const std::vector<Entry> entries = {MakeEntry(1, std::string(300, 'a' + round))};
      ASSERT_TRUE(opened->storage->Append(LogIndex(expected.next), entries).ok());
      expected.Append(expected.next, entries);
      ASSERT_TRUE(opened->storage->Sync().ok());
    }
    const Snapshot snapshot = MakeSnapshot(expected.next - 5, 1, "state");
    ASSERT_TRUE(PrepareAndSave(*opened->storage, snapshot).ok());
    expected.SetSnapshot(snapshot);
    ASSERT_TRUE(opened->storage->TrimPrefix(snapshot.index).ok());
  }
}

}  // namespace
}  // namespace bank::storage
