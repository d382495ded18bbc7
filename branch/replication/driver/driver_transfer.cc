#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "branch/replication/driver/driver_state.h"

namespace bank::replication {

absl::StatusOr<BranchId> Driver::State::ChooseTransferTarget(BranchId asked) const {
  if (!leads) {
    const BranchId leader = engine.leader();
    return absl::FailedPreconditionError(
        leader == BranchId(0)
            ? std::string("this branch does not lead, and knows nobody who does")
            : fmt::format("this branch does not lead: branch {} does", leader.value));
  }
  if (transfer.has_value()) return absl::FailedPreconditionError("a transfer is running");
  if (member_changes.running()) {
    return absl::FailedPreconditionError("a change of the membership is under way");
  }
  const std::vector<BranchId> voters = engine.voters();
  BranchId target = asked;
  if (asked == BranchId(0)) {
    for (const BranchId voter : voters) {
      if (voter == options.self) continue;
      if (target == BranchId(0) || engine.match_index(voter) > engine.match_index(target))
        target = voter;
    }
  }
  if (target == options.self || std::find(voters.begin(), voters.end(), target) == voters.end()) {
    return absl::InvalidArgumentError(
        asked == BranchId(0) ? std::string("no other branch votes")
                             : fmt::format("branch {} is no other branch that votes", asked.value));
  }
  return target;
}

void Driver::State::BeginTransfer(BranchId to, Replicator::ReadCallback done) {
  transfer = Transfer{to, engine.term(), now_ms + 3 * int64_t{options.election_timeout_ms},
                      std::move(done)};
}

// Proposals wait until the new leader has the whole log, which is when the engine lets the transfer
// begin. The engine ends one that had no effect after an election timeout; then it begins again.
void Driver::State::DriveTransfer() {
  if (engine.transferring()) return;
  if (transfer->begun && !Guarded(12)) {
    return EndTransfer(absl::UnavailableError("the engine gave it up"));
  }
  const core_status status = engine.Transfer(now_ms, transfer->to);
  if (status == CORE_OK) transfer->begun = true;
  if (status == CORE_UNKNOWN_ID) {
    EndTransfer(
        absl::FailedPreconditionError("the branch that was to lead does not vote any more"));
  }
}

void Driver::State::NoteTransfer() {
  if (!transfer.has_value()) return;
  const BranchId leader = engine.leader();
  if (leads && engine.term() != transfer->term) {
    EndTransfer(absl::AbortedError("this branch leads again"));
  } else if (!leads && leader != BranchId(0) && leader != options.self) {
    EndTransfer(absl::OkStatus());
  }
}

void Driver::State::EndTransfer(absl::Status status) {
  due.AddRead(std::move(transfer->done), std::move(status));
  transfer.reset();
}

}  // namespace bank::replication
