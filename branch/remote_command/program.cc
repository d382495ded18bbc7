#include "branch/remote_command/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "common/check.h"

namespace bank::remote_command {
namespace {

// The program's end shows itself in no descriptor if something it started keeps the pipe open; so
// both are looked at, in this rhythm.
constexpr int kLookMs = 20;
constexpr int64_t kFloodNs = 1'000'000'000;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { Close(); }
  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

// What the child is given. Every call only fills a structure: it cannot fail but for memory.
class SpawnSettings {
 public:
  explicit SpawnSettings(int output) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    posix_spawn_file_actions_addchdir_np(&actions_, "/");

    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes_, &none);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  int Spawn(const std::vector<std::string>& argv, pid_t* child) const {
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    static constexpr const char* kEnvironment[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", nullptr};
    return posix_spawn(child, words[0], &actions_, &attributes_, words.data(),
                       const_cast<char* const*>(kEnvironment));
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// True when the child has ended. It stays a zombie, and so keeps its group's number from being
// given to anybody else.
bool HasEnded(pid_t child) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
         info.si_pid == child;
}

int Reap(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return 255;
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Takes all that is in the pipe now. False: nobody will write to it any more.
bool Drain(int pipe, const std::function<bool(std::string_view)>& output, bool* wanted) {
  char bytes[16'384];
  // Bounded, so that a program that prints without end does not keep us from looking at the clock.
  for (int round = 0; round < 16; ++round) {
    const ssize_t count = read(pipe, bytes, sizeof(bytes));
    if (count == 0) return false;
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (*wanted) *wanted = output({bytes, static_cast<size_t>(count)});
  }
  return true;
}

ProgramEnd Watch(pid_t child, int pipe, const ProgramLimits& limits, const Clock& clock,
                 const std::function<bool(std::string_view)>& output) {
  bool open = true;
  bool wanted = true;
  int64_t flooded_ns = INT64_MAX;
  for (;;) {
    pollfd look{.fd = open ? pipe : -1, .events = POLLIN, .revents = 0};
    poll(&look, 1, kLookMs);
    const bool ended = HasEnded(child);  // before the last look at the pipe: nothing is missed
    if (open) open = Drain(pipe, output, &wanted);
    if (ended) return ProgramEnd::kExited;
    if (limits.cancelled != nullptr && limits.cancelled->load()) return ProgramEnd::kCancelled;
    const int64_t now_ns = clock.NowNs();
    if (now_ns >= limits.deadline_ns) return ProgramEnd::kTimedOut;
    if (!wanted && flooded_ns == INT64_MAX) flooded_ns = now_ns + kFloodNs;
    if (now_ns >= flooded_ns) return ProgramEnd::kFlooded;
  }
}

}  // namespace

const ProgramTable& HostPrograms() {
  static const auto* programs = new ProgramTable{
      {"df", {"/usr/bin/df", "-P", "-k"}},
      {"uptime", {"/usr/bin/uptime"}},
      {"ps",
       {"/usr/bin/ps", "-e", "-o", "pid,ppid,user,pcpu,pmem,rss,etimes,comm", "--sort=-pcpu,pid"}},
      {"free", {"/usr/bin/free", "-k"}},
  };
  return *programs;
}

ProgramResult RunProgram(const std::vector<std::string>& argv, const ProgramLimits& limits,
                         const Clock& clock, const std::function<bool(std::string_view)>& output) {
  BANK_CHECK(!argv.empty() && argv[0].starts_with('/')) << "a program is named by its full path";
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return {ProgramEnd::kNotStarted, 0, fmt::format("no pipe: {}", strerror(errno))};
  }
  Descriptor ours(ends[0]);
  Descriptor theirs(ends[1]);
  fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  pid_t child = 0;
  if (const int error = SpawnSettings(theirs.get()).Spawn(argv, &child); error != 0) {
    return {ProgramEnd::kNotStarted, 0, fmt::format("cannot run {}: {}", argv[0], strerror(error))};
  }
  theirs.Close();
  ProgramResult result;
  result.end = Watch(child, ours.get(), limits, clock, output);
  kill(-child, SIGKILL);  // whatever it started goes with it, also when it ended by itself
  result.exit_status = Reap(child);
  return result;
}

}  // namespace bank::remote_command
