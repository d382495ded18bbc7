// What a process of customers tells the conductor over its pipe, one JSON object per line.
//
// ready    connected, session open; waits for a "go" line on its standard input (task_queue.h)
// answer   of the next operation of its entry
// waiting  all writes answered (converged only); waits for another "go"
// done     every operation has its answer
// failed   it stops: `exit_code` and `reason` say why
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/exit_code.h"
#include "customer/script/answers.h"

namespace bank::replay {

struct Report {
  enum class Type { kReady, kAnswer, kWaiting, kDone, kFailed };
  Type type = Type::kReady;
  size_t entry = 0;            // its number, counted from 0
  script::Answer answer = {};  // kAnswer
  int exit_code = kExitOk;     // kFailed
  std::string reason = {};     // kFailed, one line

  bool operator==(const Report&) const = default;
};

std::string FormatReport(const Report& report);  // with its end of line
absl::StatusOr<Report> ParseReport(std::string_view line);

}  // namespace bank::replay
