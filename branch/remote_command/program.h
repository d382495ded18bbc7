// Program: runs one program of the host by its argv and hands on what it prints.
//
// No shell takes part: argv[0] is an absolute path, the environment is PATH and LANG=C and no more,
// stdin is /dev/null, the folder is /, every other descriptor is closed, signals are as a login
// would have them, and the program leads a process group of its own, so that it ends together with
// what it started. It outlives the call only if this process is killed.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"

namespace bank::remote_command {

// Name of a diagnostic -> argv.
using ProgramTable = std::map<std::string, std::vector<std::string>, std::less<>>;

// df, uptime, ps and free of Debian, with fixed arguments. `ps` shows names of programs, not their
// arguments: those may hold secrets.
const ProgramTable& HostPrograms();

enum class ProgramEnd {
  kExited,      // by itself, or by somebody else's signal
  kCancelled,   // killed
  kTimedOut,    // killed
  kFlooded,     // killed: went on printing long after nobody took it any more
  kNotStarted,  // `reason` says why
};

struct ProgramResult {
  ProgramEnd end = ProgramEnd::kNotStarted;
  int exit_status = 0;  // 0 to 255; 128 + signal
  std::string reason;
};

struct ProgramLimits {
  int64_t deadline_ns = 0;                       // on the steady clock
  const std::atomic<bool>* cancelled = nullptr;  // looked at every 20 ms
};

// `output` takes stdout and stderr as they come, and says whether it wants more; a program that
// prints for a second longer than that is killed. Blocks until the program and its group are gone.
ProgramResult RunProgram(const std::vector<std::string>& argv, const ProgramLimits& limits,
                         const Clock& clock, const std::function<bool(std::string_view)>& output);

}  // namespace bank::remote_command
