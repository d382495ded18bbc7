// Goal: output reaches what its name stands for, whatever that is, and takes nothing away; what
// cannot be written is known before, and changes nothing.
// Method: every kind of file in a folder of the test's own; a device is a node of our own making.
#include "common/output_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <set>

#include "tests/support/temp_folder.h"

namespace bank {
namespace {

namespace fs = std::filesystem;

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct stat About(const std::string& path) {
  struct stat about = {};
  EXPECT_EQ(lstat(path.c_str(), &about), 0) << path;
  return about;
}

class Output : public ::testing::Test {
 protected:
  Output() { fs::create_directory(Of("folder")); }

  std::string Of(std::string_view name) const { return folder_.Of(name); }
  void Make(std::string_view name, std::string_view content) const {
    std::ofstream(Of(name), std::ios::binary) << content;
  }
  absl::Status Write(const std::string& path, std::string_view content,
                     const std::vector<std::string>& others = {}) const {
    auto place = FindOutput(path, others);
    return place.ok() ? WriteOutput(*std::move(place), content) : place.status();
  }
  std::set<std::string> Names() const {
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      names.insert(entry.path().lexically_relative(folder_.path()));
    }
    return names;
  }

  const TempFolder folder_;
};

TEST_F(Output, NewFilesAndOldOnes) {
  EXPECT_TRUE(Write(Of("new"), "one").ok());
  EXPECT_EQ(Read(Of("new")), "one");
  const mode_t mask = umask(0);
  umask(mask);
  EXPECT_EQ(About(Of("new")).st_mode & 0777, 0666 & ~mask);
  chmod(Of("new").c_str(), 0640);
  EXPECT_TRUE(Write(Of("new"), "two, longer").ok());
  EXPECT_TRUE(Write(Of("new"), "3").ok());
  EXPECT_EQ(Read(Of("new")), "3");
  EXPECT_EQ(About(Of("new")).st_mode & 0777, 0640u);
  EXPECT_EQ(Names(), (std::set<std::string>{"folder", "new"}));
}

TEST_F(Output, UntilItIsCompleteTheOldOneIsThere) {
  Make("answers", "old");
  {
    auto place = FindOutput(Of("answers"), {});
    ASSERT_TRUE(place.ok());
    auto output = OutputFile::Begin(*std::move(place), OutputFile::Mode::kWhole);
    ASSERT_TRUE(output.ok());
    EXPECT_TRUE(output->Append("ne").ok());
    EXPECT_EQ(Read(Of("answers")), "old");
  }
  EXPECT_EQ(Read(Of("answers")), "old");
  EXPECT_EQ(Names(), (std::set<std::string>{"answers", "folder"}));
}

TEST_F(Output, AsItComesIsThereAtOnce) {
  Make("history", "an old and longer one");
  auto place = FindOutput(Of("history"), {});
  ASSERT_TRUE(place.ok());
  EXPECT_EQ(Read(Of("history")), "an old and longer one");
  auto output = OutputFile::Begin(*std::move(place), OutputFile::Mode::kAsItComes);
  ASSERT_TRUE(output.ok());
  EXPECT_TRUE(output->Append("line\n").ok());
  EXPECT_EQ(Read(Of("history")), "line\n");
  EXPECT_TRUE(output->Commit().ok());
}

TEST_F(Output, FollowsLinks) {
  Make("folder/target", "old");
  fs::create_symlink("folder/target", Of("link"));
  fs::create_symlink("link", Of("link-to-link"));
  fs::create_symlink(Of("folder/made"), Of("dangling"));
  EXPECT_TRUE(Write(Of("link-to-link"), "new").ok());
  EXPECT_TRUE(fs::is_symlink(Of("link")));
  EXPECT_TRUE(fs::is_symlink(Of("link-to-link")));
  EXPECT_EQ(Read(Of("folder/target")), "new");
  EXPECT_TRUE(Write(Of("dangling"), "made").ok());
  EXPECT_TRUE(fs::is_symlink(Of("dangling")));
  EXPECT_EQ(Read(Of("folder/made")), "made");
  fs::create_symlink("circle", Of("circle"));
  EXPECT_FALSE(Write(Of("circle"), "").ok());
}

TEST_F(Output, AllNamesOfAFileShowTheSame) {
  Make("one", "old and longer");
  fs::create_hard_link(Of("one"), Of("two"));
  EXPECT_TRUE(Write(Of("one"), "new").ok());
  EXPECT_EQ(Read(Of("two")), "new");
  EXPECT_EQ(fs::hard_link_count(Of("one")), 2u);
}

TEST_F(Output, AFifosReaderGetsIt) {
  const std::string fifo = Of("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const std::string content(200'000, 'x');  // more than fits into a pipe
  auto reader = std::async(std::launch::async, [&] { return Read(fifo); });
  EXPECT_TRUE(Write(fifo, content).ok());
  EXPECT_EQ(reader.get(), content);
  EXPECT_TRUE(S_ISFIFO(About(fifo).st_mode));
}

TEST_F(Output, ACheckOpensNoFifoAndWritesNothing) {
  const std::string fifo = Of("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_TRUE(CheckOutput(fifo, {}).ok());  // there is no reader: opening it would never return
  Make("input", "precious");
  EXPECT_FALSE(CheckOutput(Of("input"), {Of("input")}).ok());
  EXPECT_TRUE(absl::IsNotFound(CheckOutput(Of("nowhere/file"), {})));
  EXPECT_TRUE(CheckOutput(Of("new"), {}).ok());
  EXPECT_EQ(Names(), (std::set<std::string>{"fifo", "folder", "input"}));
}

TEST_F(Output, ADeviceStaysOne) {
  const std::string null = Of("null");
  if (mknod(null.c_str(), S_IFCHR | 0666, makedev(1, 3)) != 0) GTEST_SKIP() << "needs root";
  const int opened = open(null.c_str(), O_WRONLY);
  if (opened < 0) GTEST_SKIP() << "devices do not work here";
  close(opened);
  fs::create_symlink("null", Of("link"));
  for (const char* name : {"null", "link"}) {
    EXPECT_TRUE(Write(Of(name), "gone").ok()) << name;
    EXPECT_TRUE(S_ISCHR(About(null).st_mode)) << name;
  }
  EXPECT_TRUE(fs::is_symlink(Of("link")));
  EXPECT_EQ(Names(), (std::set<std::string>{"folder", "null", "link"}));
}

TEST_F(Output, AFullDeviceIsAnError) {
  const absl::Status status = Write("/dev/full", "more than nothing");
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("/dev/full"), std::string::npos) << status;
}

TEST_F(Output, RefusesBeforeAnythingIsWritten) {
  EXPECT_TRUE(absl::IsInvalidArgument(FindOutput(Of("folder"), {}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(FindOutput(Of("folder/"), {}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(FindOutput("", {}).status()));
  EXPECT_TRUE(absl::IsNotFound(FindOutput(Of("nowhere/file"), {}).status()));
  Make("file", "");
  EXPECT_FALSE(FindOutput(Of("file/below"), {}).ok());
  EXPECT_FALSE(FindOutput("/proc/nothing-can-be-made-here", {}).ok());
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  ASSERT_LT(Of("socket").size(), sizeof(address.sun_path));
  Of("socket").copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_TRUE(absl::IsInvalidArgument(FindOutput(Of("socket"), {}).status()));
  close(listener);
  EXPECT_EQ(Names(), (std::set<std::string>{"file", "folder", "socket"}));
}

TEST_F(Output, RefusesWhatIsReadToo) {
  Make("input", "precious");
  fs::create_symlink("input", Of("link"));
  fs::create_hard_link(Of("input"), Of("other-name"));
  for (const char* name : {"input", "link", "other-name", "folder/../input"}) {
    const absl::Status status = Write(Of(name), "lost", {Of("elsewhere"), Of("input")});
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << name << ": " << status;
    EXPECT_NE(status.message().find("another"), std::string::npos) << status;
  }
  EXPECT_EQ(Read(Of("input")), "precious");
  // Two outputs that are not there yet.
  fs::create_symlink("out", Of("link-to-out"));
  for (const char* name : {"out", "link-to-out", "folder/../out"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(FindOutput(Of(name), {Of("out")}).status())) << name;
  }
  EXPECT_TRUE(FindOutput(Of("out"), {Of("other-out"), "", "-"}).ok());
  // A device may be read and written.
  EXPECT_TRUE(FindOutput("/dev/full", {"/dev/full"}).ok());
}

TEST_F(Output, StandardOutputIsNeitherEmptiedNorReplaced) {
  const int kept = dup(STDOUT_FILENO);
  const int file = open(Of("log").c_str(), O_RDWR | O_CREAT | O_TRUNC, 0644);
  dup2(file, STDOUT_FILENO);
  close(file);
  EXPECT_EQ(write(STDOUT_FILENO, "before\n", 7), 7);
  for (const std::string& name : {Of("log"), std::string("/dev/stdout"), std::string("-")}) {
    EXPECT_TRUE(Write(name, "answers\n").ok()) << name;
  }
  EXPECT_EQ(write(STDOUT_FILENO, "after\n", 6), 6);
  dup2(kept, STDOUT_FILENO);
  close(kept);
  EXPECT_EQ(Read(Of("log")), "before\nanswers\nanswers\nanswers\nafter\n");
}

}  // namespace
}  // namespace bank
