#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "branch/ledger/state.h"

namespace bank::ledger {

const Summary& FrozenLedger::summary() const { return state_->summary; }

std::vector<AccountView> FrozenLedger::TopAccounts(size_t limit) const {
  std::vector<AccountView> top;
  for (const auto& [name, balance] : state_->accounts.Top(limit)) {
    top.push_back({std::string(name), balance});
  }
  return top;
}

absl::Status FrozenLedger::CheckConservation() const {
  const Summary& summary = state_->summary;
  const Turnover& turnover = state_->turnover;
  const FrozenAccounts::Audit audit = state_->accounts.Recompute();
  // The sum is compared, not a difference, so that a damaged counter cannot wrap around.
  if (turnover.opened + turnover.deposited != audit.total + turnover.withdrawn) {
    return absl::InternalError(absl::StrCat(
        "money is not conserved: opened ", absl::Uint128Low64(turnover.opened), " + deposited ",
        absl::Uint128Low64(turnover.deposited), " - withdrawn ",
        absl::Uint128Low64(turnover.withdrawn), " (all modulo 2^64) is not the sum of balances ",
        absl::Uint128Low64(audit.total)));
  }
  if (audit.total != absl::uint128(static_cast<uint64_t>(summary.balance_total))) {
    return absl::InternalError(absl::StrCat("the running total ", summary.balance_total,
                                            " is not the sum of balances ",
                                            absl::Uint128Low64(audit.total)));
  }
  const uint64_t digest = audit.digest + state_->sessions.RecomputeDigest();
  if (digest != summary.state_digest) {
    return absl::InternalError(absl::StrCat("the running digest ", absl::Hex(summary.state_digest),
                                            " is not that of the state ", absl::Hex(digest)));
  }
  return absl::OkStatus();
}

}  // namespace bank::ledger
