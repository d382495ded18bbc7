#include "customer/replay/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

extern char** environ;

namespace bank::replay {
namespace {

void CloseAndForget(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

}  // namespace

Process::~Process() {
  CloseAndForget(input_);
  CloseAndForget(output_);
  if (pid_ > 0) Wait();
}

absl::Status Process::Start(const std::vector<std::string>& command) {
  int to_child[2];
  int from_child[2];
  // Close-on-exec, or each child would hold the pipes of those started before it open.
  if (::pipe2(to_child, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  if (::pipe2(from_child, O_CLOEXEC) != 0) {
    const int error = errno;
    ::close(to_child[0]);
    ::close(to_child[1]);
    return absl::ErrnoToStatus(error, "pipe");
  }
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to_child[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from_child[1], STDOUT_FILENO);
  const int error = posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(to_child[0]);
  ::close(from_child[1]);
  input_ = to_child[1];
  output_ = from_child[0];
  if (error == 0) return absl::OkStatus();
  pid_ = -1;
  return absl::ErrnoToStatus(error, "cannot start a customer");
}

void Process::Send(const std::string& line) {
  const std::string text = line + "\n";
  // Shorter than PIPE_BUF into an empty pipe: whole or not at all.
  while (input_ >= 0 && ::write(input_, text.data(), text.size()) < 0 && errno == EINTR) {
  }
}

void Process::CloseInput() { CloseAndForget(input_); }

void Process::ReadLines(std::vector<std::string>* lines) {
  char block[4096];
  const ssize_t size = ::read(output_, block, sizeof(block));
  if (size < 0 && errno == EINTR) return;
  if (size <= 0) return CloseAndForget(output_);
  partial_.append(block, static_cast<size_t>(size));
  size_t start = 0;
  for (size_t end; (end = partial_.find('\n', start)) != std::string::npos; start = end + 1) {
    lines->push_back(partial_.substr(start, end - start));
  }
  partial_.erase(0, start);
}

int Process::Wait() {
  if (pid_ < 0) return 128;  // it was never started
  int status = 0;
  pid_t waited = -1;
  do {
    waited = ::waitpid(pid_, &status, 0);
  } while (waited < 0 && errno == EINTR);
  pid_ = -1;
  if (waited < 0) return 128;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace bank::replay
