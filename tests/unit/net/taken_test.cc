// Goal: whoever listens is noticed at every address that a name stands for, and nothing else is.
// Method: sockets of the test.
#include "net/taken.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

namespace bank::net {
namespace {

// A socket that has a port of the system's choice on 127.0.0.1, and perhaps listens.
class Holder {
 public:
  Holder() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    const int on = 1;
    setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(at);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&at), length), 0);
    EXPECT_EQ(getsockname(socket_, reinterpret_cast<sockaddr*>(&at), &length), 0);
    port_ = std::to_string(ntohs(at.sin_port));
  }
  ~Holder() { close(socket_); }
  void Listen() { EXPECT_EQ(listen(socket_, 8), 0); }
  const std::string& port() const { return port_; }

 private:
  const int socket_;
  std::string port_;
};

TEST(CheckNotTaken, NoticesWhoListensAtEachAddressOfAName) {
  Holder holder;
  EXPECT_TRUE(CheckNotTaken("localhost:" + holder.port()).ok());
  holder.Listen();
  for (const std::string host : {"localhost", "127.0.0.1", "0.0.0.0"}) {
    const absl::Status taken = CheckNotTaken(host + ":" + holder.port());
    EXPECT_TRUE(absl::IsUnavailable(taken)) << host << ": " << taken;
  }
  EXPECT_TRUE(CheckNotTaken("127.0.0.2:" + holder.port()).ok());
}

TEST(CheckNotTaken, AnyFreePortIsFree) { EXPECT_TRUE(CheckNotTaken("localhost:0").ok()); }

TEST(CheckNotTaken, NoticesWhoListensAtAUnixSocket) {
  const std::string path = testing::TempDir() + "taken-" + std::to_string(getpid());
  EXPECT_TRUE(CheckNotTaken("unix:" + path).ok());
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path.copy(at.sun_path, sizeof(at.sun_path) - 1);
  const int holder = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_EQ(bind(holder, reinterpret_cast<sockaddr*>(&at), sizeof(at)), 0);
  EXPECT_EQ(listen(holder, 8), 0);
  EXPECT_TRUE(absl::IsUnavailable(CheckNotTaken("unix:" + path)));
  close(holder);
  EXPECT_TRUE(CheckNotTaken("unix:" + path).ok());  // what a dead process left behind
  unlink(path.c_str());
}

}  // namespace
}  // namespace bank::net
