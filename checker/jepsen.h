// Judges Jepsen's histories (EDN): of its bank workload (:transfer {:from :to :amount}, :read of
// all balances) and of a register (:read, :write, :cas).
//
// Bank: all reads have one total, and there is an order of transfers and reads, in keeping with
// time, that explains every read; what the accounts held at first is taken from the reads.
// Register: linearizable; nil at first. Operations of type :info may or may not have happened.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checker/judge.h"

namespace bank::checker {

absl::StatusOr<Judgement> JudgeJepsen(const std::vector<std::string>& paths, int64_t budget_ms);

}  // namespace bank::checker
