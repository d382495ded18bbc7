// Goal: a listener outlives the moment in which no file is left, and tells callers at once.
// Method: a listening socket of the test, and a limit of open files that the test lowers to what is
// in use.
#include "net/open_files.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace bank::net {
namespace {

class OpenFilesTest : public ::testing::Test {
 protected:
  OpenFilesTest() {
    PrepareOpenFiles();
    getrlimit(RLIMIT_NOFILE, &before_);
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&at_), &length), 0);
  }
  ~OpenFilesTest() override {
    Lower(before_.rlim_cur);
    close(listener_);
  }

  // A connected socket. On loopback the connection waits at the listener when this returns.
  int Connect() {
    const int caller = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(caller, reinterpret_cast<sockaddr*>(&at_), sizeof(at_)), 0);
    return caller;
  }
  void Lower(rlim_t files) {
    const rlimit limit{.rlim_cur = files, .rlim_max = before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
  // True: the other side has closed it. Waits until it has, or long.
  static bool Ended(int caller) {
    pollfd waited{.fd = caller, .events = POLLIN, .revents = 0};
    char byte = 0;
    return poll(&waited, 1, 10'000) == 1 && read(caller, &byte, 1) <= 0;
  }
  int Accept() { return accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC); }

  rlimit before_{};
  sockaddr_in at_{};
  int listener_ = -1;
};

TEST_F(OpenFilesTest, CallersWithoutAFileAreTurnedAwayAndTheListenerGoesOn) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "UBSan opens files of its own whenever it looks at an object";
#endif
  const int first = Connect();
  const int second = Connect();
  const uint64_t before = ConnectionsTurnedAway();
  // All places below the lowest free one are taken, the reserve's among them.
  const int lowest_free = dup(0);
  ASSERT_GE(lowest_free, 0);
  close(lowest_free);
  Lower(static_cast<rlim_t>(lowest_free));
  EXPECT_EQ(Accept(), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_TRUE(Ended(first));
  EXPECT_TRUE(Ended(second));
  EXPECT_EQ(ConnectionsTurnedAway() - before, 2u);

  Lower(before_.rlim_cur);
  const int third = Connect();
  const int accepted = Accept();
  EXPECT_GE(accepted, 0);
  for (const int file : {first, second, third, accepted}) close(file);
}

TEST_F(OpenFilesTest, OtherwiseNothingIsDifferent) {
  EXPECT_EQ(Accept(), -1);
  EXPECT_EQ(errno, EAGAIN);
  const int caller = Connect();
  const int accepted = Accept();
  EXPECT_GE(accepted, 0);
  EXPECT_GE(PrepareOpenFiles(), kOpenFilesMin);
  close(caller);
  EXPECT_TRUE(Ended(accepted));
  close(accepted);
}

}  // namespace
}  // namespace bank::net
