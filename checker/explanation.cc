#include "checker/explanation.h"

#include <algorithm>
#include <set>
#include <vector>

#include "checker/search/contradiction.h"
#include "fmt/format.h"

namespace bank::checker {
namespace {

constexpr size_t kPairsOf = 400;

}  // namespace

absl::Status Explain(const AccountNames& names, HistoryPasses* passes, Violation* violation) {
  if (violation->kind != ViolationKind::kBalance) return absl::OkStatus();
  const Operation wrong = violation->operations.back();
  std::vector<Operation> around;
  std::set<uint64_t> held;
  const auto concerns = [&](const Operation& op) {
    return op.account == wrong.account || op.to == wrong.account ||
           (wrong.to != kNoAccount && (op.account == wrong.to || op.to == wrong.to));
  };
  const auto consider = [&](const Operation& op) {
    if (op.is_positioned() || op.is_read()) {
      if (!op.has_index || op.index < violation->first_index || op.index > violation->last_index) {
        return;
      }
      if (op.is_positioned()) held.insert(op.index);
      if (concerns(op) && !StandsBefore(wrong, op)) around.push_back(op);
    } else if (violation->has_missing && op.is_write() && concerns(op)) {
      const bool lacks =
          (op.kind == OpKind::kDeposit && op.amount == violation->missing) ||
          (op.kind == OpKind::kWithdraw && -static_cast<Wide>(op.amount) == violation->missing);
      if (lacks && violation->hints.size() < 3) {
        violation->hints.push_back("would fit if this had taken effect: " + Describe(op, names));
      }
    }
  };
  if (absl::Status status = passes->ForEachEffect(consider); !status.ok()) return status;
  std::sort(around.begin(), around.end(), StandsBefore);
  const Contradiction contradiction(around, passes->initial(), &names, violation->first_index == 0);
  const auto shows = [&](const std::vector<Operation>& some) { return contradiction.Shows(some); };
  if (shows(around)) violation->operations = Minimize(around, shows, kPairsOf);
  const uint64_t first = violation->operations.front().index;
  const uint64_t last = violation->operations.back().index;
  uint64_t missing = 0;
  for (uint64_t index = first + 1; index < last && missing < 1000; ++index) {
    if (!held.contains(index)) ++missing;
  }
  if (missing != 0) {
    violation->hints.push_back(
        fmt::format("{}{} positions between {} and {} are held by no recorded operation",
                    missing == 1000 ? "more than " : "", missing, first, last));
  }
  return absl::OkStatus();
}

}  // namespace bank::checker
