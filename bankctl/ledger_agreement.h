// What branches say of their ledgers, held against each other. PURE.
#pragma once

#include "bank/v1/admin.pb.h"
#include "common/agreement.h"

namespace bank::bankctl {

// Compares at equal applied entries: the newest, and the checkpoints that branches have in common.
// A branch that has applied a trailing entry of retries is ahead of another at the same position.
class LedgerAgreement {
 public:
  void Note(const v1::BranchStatus& status);

  // The first difference of states, else of histories.
  const std::optional<Agreement::Difference>& difference() const;

  // Of the states.
  Agreement::Verdict Judge(const std::vector<BranchId>& live, size_t members) const {
    return state_.Judge(live, members);
  }

 private:
  Agreement state_;
  Agreement history_;
};

}  // namespace bank::bankctl
