// Goal: a diagnostic can do no harm and takes no longer than it may, whatever it does.
// Method: the programs that misbehave are /bin/sh scripts, given as argv by the test; no request
// can do that (catalog_test.cc).
#include "branch/remote_command/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

namespace bank::remote_command {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int64_t kMs = 1'000'000;

class Program : public testing::Test {
 protected:
  ProgramResult Run(const std::vector<std::string>& argv, int64_t deadline_ms = 10'000,
                    size_t bytes_max = SIZE_MAX) {
    const ProgramLimits limits{.deadline_ns = clock_.NowNs() + deadline_ms * kMs,
                               .cancelled = &cancelled_};
    const int64_t began_ns = clock_.NowNs();
    const ProgramResult result = RunProgram(argv, limits, clock_, [&](std::string_view bytes) {
      output_ += bytes.substr(0, bytes_max - std::min(bytes_max, output_.size()));
      return output_.size() < bytes_max;
    });
    took_ms_ = (clock_.NowNs() - began_ns) / kMs;
    return result;
  }
  ProgramResult Script(const std::string& text, int64_t deadline_ms = 10'000,
                       size_t bytes_max = SIZE_MAX) {
    return Run({"/bin/sh", "-c", text}, deadline_ms, bytes_max);
  }

  SteadyClock clock_;
  std::atomic<bool> cancelled_{false};
  std::string output_;
  int64_t took_ms_ = 0;
};

TEST_F(Program, TheHostsOwnOnesRun) {
  for (const auto& [name, argv] : HostPrograms()) {
    output_.clear();
    const ProgramResult result = Run(argv);
    EXPECT_EQ(result.end, ProgramEnd::kExited) << name << ": " << result.reason;
    EXPECT_EQ(result.exit_status, 0) << name << ": " << output_;
    EXPECT_FALSE(output_.empty()) << name;
  }
}

TEST_F(Program, ItSeesACleanWorld) {
  setenv("SECRET_OF_THE_BRANCH", "1", 1);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  int inherited[2];
  ASSERT_EQ(pipe(inherited), 0);  // without close-on-exec, as a library might have made it
  const ProgramResult result = Script(
      "/usr/bin/env; pwd; readlink /proc/self/fd/0; ls /proc/self/fd | wc -l; ulimit -c >/dev/null;"
      "grep SigBlk /proc/self/status; echo to stderr >&2");
  pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
  close(inherited[0]);
  close(inherited[1]);
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_THAT(output_, Not(HasSubstr("SECRET")));
  EXPECT_THAT(output_, Not(HasSubstr("HOME=")));
  EXPECT_THAT(output_, HasSubstr("LANG=C\n"));
  EXPECT_THAT(output_, HasSubstr("\n/\n/dev/null\n4\n"));  // 0, 1, 2 and the folder of `ls`
  EXPECT_THAT(output_, HasSubstr("to stderr"));
}

TEST_F(Program, ArgumentsAreNeverInterpreted) {
  const ProgramResult result = Run({"/bin/echo", "$(id)", ";", "`id`", "| cat /etc/passwd", "*"});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_EQ(output_, "$(id) ; `id` | cat /etc/passwd *\n");
}

TEST_F(Program, ExitStatusAndSignalsAreTold) {
  EXPECT_EQ(Script("exit 7").exit_status, 7);
  EXPECT_EQ(Script("kill -TERM $$").exit_status, 128 + SIGTERM);
  const ProgramResult missing = Run({"/nonexistent/program"});
  EXPECT_EQ(missing.end, ProgramEnd::kNotStarted);
  EXPECT_THAT(missing.reason, HasSubstr("/nonexistent/program"));
}

TEST_F(Program, EndlessOutputIsCutAndTheProgramKilled) {
  const ProgramResult result = Script("while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyy; done", 10'000,
                                      /*bytes_max=*/65'536);
  EXPECT_EQ(result.end, ProgramEnd::kFlooded);
  EXPECT_EQ(result.exit_status, 128 + SIGKILL);
  EXPECT_EQ(output_.size(), 65'536u);
  EXPECT_LT(took_ms_, 5'000);
}

TEST_F(Program, ALongButFiniteOutputEndsByItself) {
  const ProgramResult result = Script(
      "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; "
      "i=$((i+1)); done; exit 3",
      10'000, /*bytes_max=*/1000);
  EXPECT_EQ(result.end, ProgramEnd::kExited);
  EXPECT_EQ(result.exit_status, 3);
  EXPECT_EQ(output_.size(), 1000u);
}

TEST_F(Program, AHangingOneIsKilledAtItsDeadline) {
  const ProgramResult result = Script("echo begun; exec sleep 1000", 300);
  EXPECT_EQ(result.end, ProgramEnd::kTimedOut);
  EXPECT_EQ(result.exit_status, 128 + SIGKILL);
  EXPECT_EQ(output_, "begun\n");
  EXPECT_LT(took_ms_, 3'000);
}

TEST_F(Program, IgnoringSigtermDoesNotHelp) {
  const ProgramResult result = Script("trap '' TERM INT HUP; while :; do sleep 1; done", 300);
  EXPECT_EQ(result.end, ProgramEnd::kTimedOut);
  EXPECT_EQ(result.exit_status, 128 + SIGKILL);
  EXPECT_LT(took_ms_, 3'000);
}

TEST_F(Program, CancellingEndsItSoon) {
  std::thread canceller([&] { cancelled_.store(true); });
  const ProgramResult result = Script("exec sleep 1000");
  canceller.join();
  EXPECT_EQ(result.end, ProgramEnd::kCancelled);
  EXPECT_LT(took_ms_, 3'000);
}

TEST_F(Program, WhatItForkedEndsWithIt) {
  // The child of the script keeps the pipe open and would outlive it.
  const ProgramResult result = Script("sleep 1000 & echo $!");
  EXPECT_EQ(result.end, ProgramEnd::kExited);
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_LT(took_ms_, 3'000);
  const pid_t child = std::stoi(output_);
  // Killed; whoever adopts it may take a moment to collect it.
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  std::string state;
  do {
    std::string stat;
    if (kill(child, 0) != 0 && errno == ESRCH) return;
    output_.clear();
    Run({"/bin/cat", "/proc/" + std::to_string(child) + "/stat"});
    state = output_;
  } while (state.find(") Z ") == std::string::npos && std::chrono::steady_clock::now() < give_up);
  EXPECT_THAT(state, HasSubstr(") Z "));
}

}  // namespace
}  // namespace bank::remote_command
