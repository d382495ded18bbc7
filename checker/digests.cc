#include "checker/digests.h"

#include <algorithm>
#include <map>
#include <set>

#include "fmt/format.h"

namespace bank::checker {
namespace {

constexpr size_t kSumsMax = 1 << 16;

Violation Make(ViolationKind kind, std::string why, uint64_t index) {
  Violation violation;
  violation.kind = kind;
  violation.why = std::move(why);
  violation.last_index = index;
  return violation;
}

// What the totals may be when any of the unknown operations happened for which there is room among
// the positions up to `log_index`. False: too many to tell.
bool PossibleTotals(const Standing& standing, uint64_t log_index, std::set<Wide>* totals) {
  const uint64_t left = log_index - std::min(log_index, standing.positions);
  const uint64_t behind = log_index - std::min(log_index, standing.index_newest);
  std::vector<std::pair<uint64_t, Wide>> changes;  // room, change
  for (const auto& [op, room] : standing.unknown) {
    const Wide change = op.kind == OpKind::kWithdraw   ? -static_cast<Wide>(op.amount)
                        : op.kind == OpKind::kTransfer ? Wide{0}
                                                       : static_cast<Wide>(op.amount);
    if (change == 0) continue;
    changes.emplace_back(room > left ? left : std::min(left, room + behind), change);
  }
  // What one of less room can take, one of more room can take too: so it is enough to count.
  std::sort(changes.begin(), changes.end());
  std::set<std::pair<Wide, uint64_t>> reached;  // sum, how many happened
  for (Wide sum : standing.sums) reached.emplace(sum, 0);
  for (const auto& [room, change] : changes) {
    std::vector<std::pair<Wide, uint64_t>> more;
    for (const auto& [sum, count] : reached) {
      if (count < room) more.emplace_back(sum + change, count + 1);
    }
    reached.insert(more.begin(), more.end());
    if (reached.size() > kSumsMax) return false;
  }
  for (const auto& [sum, count] : reached) totals->insert(sum);
  return true;
}

// No sum of balances lies outside, whatever happened.
bool IsOutOfReach(Wide total, const Standing& standing) {
  const auto [lowest, highest] = std::minmax_element(standing.sums.begin(), standing.sums.end());
  Wide low = *lowest;
  Wide high = *highest;
  for (const auto& [op, room] : standing.unknown) {
    if (op.kind == OpKind::kWithdraw) low -= static_cast<Wide>(op.amount);
    if (op.kind != OpKind::kWithdraw && op.kind != OpKind::kTransfer) {
      high += static_cast<Wide>(op.amount);
    }
  }
  return total < low || total > high;
}

void CheckTotal(const Digest& digest, const Standing& standing, DigestCheck* check) {
  if (!standing.total_known || !digest.has_balance_total) {
    if (digest.has_balance_total) {
      check->notes.push_back(
          "the bank's total is not compared: the history does not know all accounts");
    }
    return;
  }
  if (digest.accounts >= 0) {
    const auto accounts = static_cast<uint64_t>(digest.accounts);
    if (accounts > standing.accounts) {
      check->notes.push_back(
          fmt::format("the bank's total is not compared: it has {} accounts, the history {}",
                      accounts, standing.accounts));
      return;
    }
    if (accounts < standing.accounts) {
      check->violations.push_back(
          Make(ViolationKind::kTotal,
               fmt::format("branch {} has {} accounts, but the history needs {}", digest.branch,
                           accounts, standing.accounts),
               digest.log_index));
      return;
    }
  }
  const auto differs = [&](const std::string& expected) {
    check->violations.push_back(
        Make(ViolationKind::kTotal,
             fmt::format("the balances of branch {} sum up to {}, but the operations {}",
                         digest.branch, digest.balance_total, expected),
             digest.log_index));
  };
  std::set<Wide> totals;
  if (!PossibleTotals(standing, digest.log_index, &totals)) {
    if (IsOutOfReach(digest.balance_total, standing)) {
      differs("cannot, whatever became of what is unknown");
    } else {
      check->undecided_because =
          "the operations of unknown outcome are too many to tell what the bank's total may be";
    }
    return;
  }
  if (totals.contains(digest.balance_total)) return;
  differs("to " + ToString(*totals.begin()) +
          (totals.size() > 1
               ? fmt::format(" (or {} other sums, by what is unknown)", totals.size() - 1)
               : ""));
}

}  // namespace

DigestCheck CheckDigests(const std::vector<Digest>& digests, const Standing* standing) {
  DigestCheck check;
  std::vector<Violation>& violations = check.violations;
  std::map<uint64_t, std::vector<const Digest*>> by_index;
  std::map<uint64_t, const Digest*> last;
  for (const Digest& digest : digests) {
    by_index[digest.log_index].push_back(&digest);
    last[digest.branch] = &digest;
  }
  for (const auto& [index, group] : by_index) {
    // Which branches say what.
    std::map<std::tuple<std::string, std::string, int64_t, int64_t>, std::set<uint64_t>> camps;
    for (const Digest* d : group) {
      camps[{d->state, d->history, d->accounts, d->has_balance_total ? d->balance_total : -1}]
          .insert(d->branch);
    }
    if (camps.size() < 2) continue;
    std::string text;
    for (const auto& [what, branches] : camps) {
      if (!text.empty()) text += "; ";
      text += branches.size() == 1 ? "branch" : "branches";
      for (uint64_t branch : branches) text += fmt::format(" {}", branch);
      text += fmt::format(": state {}", std::get<0>(what));
      if (!std::get<1>(what).empty()) text += fmt::format(", history {}", std::get<1>(what));
      if (std::get<3>(what) >= 0) text += fmt::format(", total {}", std::get<3>(what));
    }
    violations.push_back(Make(ViolationKind::kDigest,
                              fmt::format("branches differ at log index {}: {}", index, text),
                              index));
  }
  std::map<uint64_t, std::string> standings;
  for (const auto& [branch, digest] : last) {
    std::string& names = standings[digest->log_index];
    names += fmt::format("{}{}", names.empty() ? "" : ", ", branch);
  }
  if (standings.size() > 1) {
    std::string text;
    for (const auto& [index, branches] : standings) {
      text += fmt::format("{}branch {} at {}", text.empty() ? "" : "; ", branches, index);
    }
    violations.push_back(
        Make(ViolationKind::kDigest, "branches stand at different log indexes: " + text, 0));
  }
  if (standing == nullptr || !violations.empty() || last.empty()) return check;
  const Digest& any = *last.begin()->second;
  if (any.log_index < standing->index_newest) {
    violations.push_back(
        Make(ViolationKind::kDigest,
             fmt::format("the branches end at log index {}, but position {} was answered",
                         any.log_index, standing->index_newest),
             any.log_index));
    return check;
  }
  if (any.log_index < standing->positions) {
    violations.push_back(
        Make(ViolationKind::kDigest,
             fmt::format("the branches end at log index {}, but {} operations took a position",
                         any.log_index, standing->positions),
             any.log_index));
    return check;
  }
  CheckTotal(any, *standing, &check);
  return check;
}

}  // namespace bank::checker
