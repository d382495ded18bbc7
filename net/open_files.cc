#include "net/open_files.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>

namespace bank::net {
namespace {

std::mutex reserve_mutex;
int reserve_fd = -1;  // guarded by reserve_mutex; -1: somebody else was quicker to take it
std::atomic<uint64_t> turned_away{0};

int Accept(int listener, sockaddr* address, socklen_t* length, int flags) {
  return static_cast<int>(syscall(SYS_accept4, listener, address, length, flags));
}

void OpenReserve() {
  if (reserve_fd < 0) reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

// Takes one waiting connection and closes it. False: there is none, or no file even for that.
bool TurnAway(int listener) {
  const std::lock_guard<std::mutex> lock(reserve_mutex);
  OpenReserve();
  if (reserve_fd < 0) return false;
  close(reserve_fd);
  const int connection = Accept(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (connection >= 0) close(connection);
  reserve_fd = -1;
  OpenReserve();
  return connection >= 0;
}

bool Blocks(int listener) { return (fcntl(listener, F_GETFL) & O_NONBLOCK) == 0; }

int AcceptOrTurnAway(int listener, sockaddr* address, socklen_t* length, int flags) {
  for (;;) {
    const int connection = Accept(listener, address, length, flags);
    if (connection >= 0 || (errno != EMFILE && errno != ENFILE)) return connection;
    if (const int error = errno; Blocks(listener)) {  // not gRPC's: its owner sees to it
      errno = error;
      return connection;
    }
    if (!TurnAway(listener)) {
      errno = EAGAIN;  // those that wait are taken when the next one comes
      return -1;
    }
    // Powers of two: a line for the first, and few for a flood.
    const uint64_t count = turned_away.fetch_add(1) + 1;
    if ((count & (count - 1)) == 0) {
      spdlog::warn("no file is left for another connection (ulimit -n): {} turned away", count);
    }
  }
}

}  // namespace

uint64_t PrepareOpenFiles() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  const std::lock_guard<std::mutex> lock(reserve_mutex);
  OpenReserve();
  return limit.rlim_cur;
}

uint64_t ConnectionsTurnedAway() { return turned_away.load(); }

}  // namespace bank::net

// Found by gRPC's library before the C library's own, because the program comes first.
extern "C" int accept4(int listener, sockaddr* address, socklen_t* length, int flags) {
  return bank::net::AcceptOrTurnAway(listener, address, length, flags);
}
