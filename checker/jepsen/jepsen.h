// Judges Jepsen's histories (jepsen_history.h): of its bank workload and of registers.
//
// Bank: every read shows the same accounts and the same sum, and there is an order of transfers and
// reads, in keeping with time, that explains every read and in which no account is ever overdrawn;
// what the accounts held at first is taken from the reads. Register: linearizable. Each independent
// key is judged alone. Operations of type :info may or may not have happened. The order of the
// events counts; if :time tells another one, both must lead to the same verdict, or there is none.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checker/jepsen/jepsen_history.h"
#include "checker/model/verdict.h"

namespace bank::checker {

struct JepsenOptions {
  int64_t budget_ms = 10'000;   // of CPU time, for all of it (budget.h)
  bool overdrafts = false;      // accounts may be overdrawn
  std::string initial = "nil";  // what registers hold at first, in EDN
};

struct JepsenJudgement : Judgement {
  std::vector<JepsenOperation> operations;
  std::vector<size_t> culprits;  // into operations
};

// An error means the input is not acceptable; it names file and line, or event.
absl::StatusOr<JepsenJudgement> JudgeJepsen(const std::vector<std::string>& paths,
                                            const JepsenOptions& options);

}  // namespace bank::checker
