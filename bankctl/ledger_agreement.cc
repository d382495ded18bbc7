#include "bankctl/ledger_agreement.h"

#include "common/hex.h"

namespace bank::bankctl {

void LedgerAgreement::Note(const v1::BranchStatus& status) {
  const BranchId branch(status.branch());
  for (const v1::BranchStatus::Checkpoint& checkpoint : status.checkpoints()) {
    state_.Note(branch, LogIndex(checkpoint.applied_index()), HexDigits(checkpoint.state_digest()));
  }
  state_.Note(branch, LogIndex(status.applied_index()), status.state_digest());
  history_.Note(branch, LogIndex(status.applied_index()), status.history_digest());
}

const std::optional<Agreement::Difference>& LedgerAgreement::difference() const {
  return state_.difference() ? state_.difference() : history_.difference();
}

}  // namespace bank::bankctl
