// What shows that an answer at a position is wrong.
#pragma once

#include "absl/status/status.h"
#include "checker/history_passes.h"
#include "checker/model/operation.h"
#include "checker/model/violation.h"

namespace bank::checker {

// Reads the stretch of the history around a wrong answer, finds the smallest set of operations that
// shows it, and adds hints. Other kinds of violations are left as they are. Errors are those of
// HistoryPasses.
absl::Status Explain(const AccountNames& names, HistoryPasses* passes, Violation* violation);

}  // namespace bank::checker
