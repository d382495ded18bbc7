// Judge: from history files to a verdict.
//
// Reads the files as often as needed: once when all is usual; again with what was learnt about
// operations that were given up and resolved later, keys used by several operations, and stamps out
// of order. Memory does not grow with the length of the history in the usual case.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checker/history_reader.h"
#include "checker/input_file.h"
#include "checker/operation.h"
#include "checker/violation.h"

namespace bank::checker {

enum class Verdict : uint8_t { kConsistent, kInconsistent, kUndecided };
std::string_view VerdictName(Verdict verdict);

struct JudgeOptions {
  std::vector<std::string> histories;
  std::vector<std::string> digests;  // files of digest lines; histories may hold some too
  bool foreign_writers = false;
  bool explains = true;        // looks for the smallest counter-examples
  int64_t budget_ms = 10'000;  // of CPU time, for all of it (budget.h)
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
  size_t branches = 0;  // digests compared
  InputFiles inputs;    // the histories, to be read again
  AccountNames names;
};

// An error means the input is not acceptable; it names file and line.
absl::StatusOr<Judgement> JudgeHistory(const JudgeOptions& options);

}  // namespace bank::checker
