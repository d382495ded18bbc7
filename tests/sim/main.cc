// simulate: runs the deterministic whole-bank simulation over seeds.
//
// A seed that fails prints one line that replays it, and what broke. Exit codes: 0 all held, 1
// wrong flags, 6 something broke (or, with --require-faults, some kind of fault never happened).
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/decimal.h"
#include "common/exit_code.h"
#include "common/flags.h"
#include "common/program.h"
#include "tests/sim/simulation.h"

namespace bank::sim {
namespace {

// The line for a run that a failed check or a memory error ends, ready before the run begins: a
// signal handler must not build one.
char abort_line[256];
size_t abort_line_size = 0;

void OnEnd(const char* why, size_t why_size) {
  const bool written = write(STDOUT_FILENO, abort_line, abort_line_size) >= 0 &&
                       write(STDOUT_FILENO, why, why_size) >= 0;
  _exit(written ? kExitInconsistent : 1);
}
void OnAbort(int) {
  static const char kWhy[] = "a check failed, see above\n";
  OnEnd(kWhy, sizeof(kWhy) - 1);
}
void OnMemoryError(int) {
  static const char kWhy[] = "a memory error\n";
  OnEnd(kWhy, sizeof(kWhy) - 1);
}

constexpr bool SanitizersReport() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;  // and better
#else
  return false;
#endif
}

std::string ReplayLine(const SimulationOptions& options, const std::string& flags) {
  return absl::StrCat("simulate --seed ", options.seed, flags);
}

double NowSeconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

bool ParseRange(const std::string& text, uint64_t* from, uint64_t* to) {
  const std::pair<std::string, std::string> ends = absl::StrSplit(text, absl::MaxSplits("..", 1));
  const auto first = ParseDecimal<uint64_t>(ends.first);
  const auto last = ParseDecimal<uint64_t>(ends.second);
  if (!first || !last || *first > *last) return false;
  *from = *first;
  *to = *last;
  return true;
}

int Main(int argc, char** argv) {
  SimulationOptions options;
  std::string seeds;
  double minutes = 0;
  std::vector<int> guards_off;
  bool keep_going = false;
  bool require_faults = false;
  bool print_digest = false;

  FlagSet program{
      "Runs the whole bank in one thread on simulated disks, network and clocks, with faults.\n"
      "Examples:\n"
      "  simulate --seeds 1..300          a few hundred runs\n"
      "  simulate --minutes 10 --seed 1   as many seeds as fit, from 1 on\n"
      "  simulate --seed 17 --trace       one run, with all that happened",
      "simulate"};
  program.Add("--seed", options.seed, "the seed to run, or to begin with");
  program.Add("--seeds", seeds, "FROM..TO, both included");
  program.Add("--minutes", minutes, "go on with the next seed for so long").Positive();
  program.Add("--branches", options.branches, "of the bank; else each seed decides").Between(1, 50);
  program
      .Add("--without-guard", guards_off,
           "switch these guards of the engine off: the runs should find what they guard "
           "against")
      .Between(1, 31);
  program.AddSwitch("--reordering", options.reorders,
                    "messages overtake each other and come twice, which the transport rules out");
  program.AddSwitch("--trace", options.trace, "print what happens");
  program.AddSwitch("--keep-going", keep_going, "do not stop at the first seed that fails");
  program.AddSwitch("--require-faults", require_faults,
                    "fail if some kind of fault never happened");
  program.AddSwitch("--digest", print_digest,
                    "print each run's digest: the same whenever it is run");
  if (const auto exit_code = program.Parse(argc, argv)) return *exit_code;

  uint64_t from = options.seed;
  uint64_t to = minutes > 0 ? UINT64_MAX : options.seed;
  if (!seeds.empty() && !ParseRange(seeds, &from, &to)) {
    fprintf(stderr, "simulate: --seeds wants FROM..TO, not '%s'\n", seeds.c_str());
    return kExitUsage;
  }
  std::string flags;
  if (options.branches != 0) absl::StrAppend(&flags, " --branches ", options.branches);
  for (const int guard : guards_off) {
    options.guards_off |= uint32_t{1} << guard;
    absl::StrAppend(&flags, " --without-guard ", guard);
  }

  if (options.reorders) absl::StrAppend(&flags, " --reordering");

  setvbuf(stdout, nullptr, _IOLBF, 0);
  signal(SIGABRT, OnAbort);
  if (!SanitizersReport()) signal(SIGSEGV, OnMemoryError);
  const double begun = NowSeconds();
  Statistics all;
  uint64_t runs = 0;
  uint64_t failed = 0;
  SimTime simulated = 0;
  for (uint64_t seed = from; seed <= to; ++seed) {
    if (minutes > 0 && NowSeconds() - begun > minutes * 60) break;
    options.seed = seed;
    abort_line_size = static_cast<size_t>(snprintf(
        abort_line, sizeof(abort_line), "FAILED  %s : ", ReplayLine(options, flags).c_str()));
    const SimulationResult result = Simulate(options);
    ++runs;
    all.Add(result.statistics);
    simulated += result.simulated;
    if (print_digest) {
      printf("seed %llu digest %016llx\n", static_cast<unsigned long long>(seed),
             static_cast<unsigned long long>(result.digest));
    }
    if (result.violation.empty()) continue;
    ++failed;
    printf("FAILED  %s : %s\n", ReplayLine(options, flags).c_str(), result.violation.c_str());
    if (!keep_going) break;
  }

  printf("%llu seeds, %llu failed; %.0f s simulated in %.1f s\n%s",
         static_cast<unsigned long long>(runs), static_cast<unsigned long long>(failed),
         static_cast<double>(simulated) / kSecond, NowSeconds() - begun, all.Text().c_str());
  if (failed != 0) return kExitInconsistent;
  if (const std::string never = all.NeverHappened(); require_faults && !never.empty()) {
    printf("FAILED  these never happened, so nothing was shown about them: %s\n", never.c_str());
    return kExitInconsistent;
  }
  return kExitOk;
}

}  // namespace
}  // namespace bank::sim

int main(int argc, char** argv) {
  return bank::RunProgram("simulate", [&] { return bank::sim::Main(argc, argv); });
}
