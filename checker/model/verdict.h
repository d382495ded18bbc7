// What a judge says of a history: the verdict, what led to it, and what was counted.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "checker/model/operation.h"
#include "checker/model/violation.h"
#include "common/clock.h"

namespace bank::checker {

class InputFile;  // history/input_file.h

enum class Verdict : uint8_t { kConsistent, kInconsistent, kUndecided };
std::string_view VerdictName(Verdict verdict);

struct JudgeOptions {
  std::vector<std::string> histories;
  std::vector<std::string> digests;  // files of digest lines; histories may hold some too
  bool foreign_writers = false;
  bool explains = true;        // looks for the smallest counter-examples
  int64_t budget_ms = 10'000;  // of CPU time, for all of it (budget.h)
  const Clock* cpu_clock = &ThreadCpuClock::Instance();
};

struct Counts {
  uint64_t ok = 0;
  uint64_t refused = 0;
  uint64_t fail = 0;
  uint64_t info = 0;
};

struct Judgement {
  Verdict verdict = Verdict::kUndecided;
  std::string method;  // "certificate", "search", ...
  std::string undecided_because;
  std::vector<Violation> violations;
  std::vector<std::string> notes;

  std::array<Counts, kOpKinds> counts;
  uint64_t operations = 0;
  uint64_t lines = 0;
  uint64_t last_index = 0;
  uint64_t unheld_positions = 0;
  uint64_t placed = 0;       // unknown operations that must have happened
  uint64_t window_peak = 0;  // operations held at a time
  uint64_t searched_states = 0;
  uint64_t passes = 0;
  size_t branches = 0;                             // digests compared
  std::vector<std::shared_ptr<InputFile>> inputs;  // the histories, to be read again
  AccountNames names;
};

}  // namespace bank::checker
