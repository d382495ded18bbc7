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

// What the totals may be when any of the unknown operations happened. False: too many to tell.
bool PossibleTotals(const Certificate& certificate, std::set<Wide>* totals) {
  const Certificate::Totals known = certificate.totals();
  totals->insert(known.sums.begin(), known.sums.end());
  for (const Operation& op : certificate.unplaced()) {
    const Wide change = op.kind == OpKind::kWithdraw   ? -static_cast<Wide>(op.amount)
                        : op.kind == OpKind::kTransfer ? Wide{0}
                                                       : static_cast<Wide>(op.amount);
    if (change == 0) continue;
    std::vector<Wide> more;
    for (Wide total : *totals) more.push_back(total + change);
    totals->insert(more.begin(), more.end());
    if (totals->size() > kSumsMax) return false;
  }
  return true;
}

void CheckTotal(const Digest& digest, const Certificate& certificate,
                std::vector<Violation>* violations, std::vector<std::string>* notes) {
  const Certificate::Totals known = certificate.totals();
  if (!known.known || !digest.has_balance_total) {
    if (digest.has_balance_total) {
      notes->push_back("the bank's total is not compared: the history does not know all accounts");
    }
    return;
  }
  if (digest.accounts >= 0) {
    const auto accounts = static_cast<uint64_t>(digest.accounts);
    if (accounts > known.accounts) {
      notes->push_back(
          fmt::format("the bank's total is not compared: it has {} accounts, the history {}",
                      accounts, known.accounts));
      return;
    }
    if (accounts < known.accounts) {
      violations->push_back(Make(ViolationKind::kTotal,
                                 fmt::format("branch {} has {} accounts, but the history needs {}",
                                             digest.branch, accounts, known.accounts),
                                 digest.log_index));
      return;
    }
  }
  std::set<Wide> totals;
  if (!PossibleTotals(certificate, &totals)) {
    notes->push_back("the bank's total is not compared: too many operations of unknown outcome");
    return;
  }
  if (totals.contains(digest.balance_total)) return;
  violations->push_back(Make(
      ViolationKind::kTotal,
      fmt::format("the balances of branch {} sum up to {}, but the operations to {}{}",
                  digest.branch, digest.balance_total, ToString(*totals.begin()),
                  totals.size() > 1
                      ? fmt::format(" (or {} other sums, by what is unknown)", totals.size() - 1)
                      : ""),
      digest.log_index));
}

}  // namespace

std::vector<Violation> CheckDigests(const std::vector<Digest>& digests,
                                    const Certificate* certificate,
                                    std::vector<std::string>* notes) {
  std::vector<Violation> violations;
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
  if (certificate == nullptr || !violations.empty() || last.empty()) return violations;
  const Digest& any = *last.begin()->second;
  if (any.log_index < certificate->last_index()) {
    violations.push_back(
        Make(ViolationKind::kDigest,
             fmt::format("the branches end at log index {}, but position {} was answered",
                         any.log_index, certificate->last_index()),
             any.log_index));
    return violations;
  }
  CheckTotal(any, *certificate, &violations, notes);
  return violations;
}

}  // namespace bank::checker
