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
#include "checker/history/history_reader.h"
#include "checker/history/input_file.h"
#include "checker/model/operation.h"
#include "checker/model/verdict.h"
#include "checker/model/violation.h"

namespace bank::checker {

// An error means the input is not acceptable; it names file and line.
absl::StatusOr<Judgement> JudgeHistory(const JudgeOptions& options);

}  // namespace bank::checker
