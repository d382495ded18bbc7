// Judges Jepsen's histories (jepsen_history.h): of its bank workload and of registers.
//
// Bank: every read shows the same accounts and the same sum, no account is overdrawn, and there is
// an order of transfers and reads, in keeping with time, that explains every read; what the
// accounts held at first is taken from the reads. Register: linearizable; nil at first. Each
// independent key is judged alone. Operations of type :info may or may not have happened.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checker/jepsen_history.h"
#include "checker/judge.h"

namespace bank::checker {

struct JepsenJudgement : Judgement {
  std::vector<JepsenOperation> operations;
  std::vector<size_t> culprits;  // into operations
};

absl::StatusOr<JepsenJudgement> JudgeJepsen(const std::vector<std::string>& paths,
                                            int64_t budget_ms);

}  // namespace bank::checker
