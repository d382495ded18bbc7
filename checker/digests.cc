#include "checker/digests.h"

#include <algorithm>
#include <map>
#include <set>

#include "fmt/format.h"

namespace bank::checker {
namespace {

Violation Make(ViolationKind kind, std::string why, uint64_t index) {
  Violation violation;
  violation.kind = kind;
  violation.why = std::move(why);
  violation.last_index = index;
  return violation;
}

void CheckTotal(const Digest& digest, const Standing& standing, DigestCheck* check) {
  const auto accounts = static_cast<uint64_t>(std::max<int64_t>(digest.accounts, 0));
  const bool tells_accounts = digest.accounts >= 0;
  if (tells_accounts && accounts < standing.accounts) {
    check->violations.push_back(
        Make(ViolationKind::kTotal,
             fmt::format("branch {} has {} accounts, but the history needs {}", digest.branch,
                         accounts, standing.accounts),
             digest.log_index));
    return;
  }
  if (!digest.has_balance_total) return;
  if (!standing.total_known || (standing.has_strangers && !tells_accounts)) {
    check->notes.push_back(
        "the bank's total is not compared: the history does not know all accounts");
    return;
  }
  if (tells_accounts && accounts > standing.accounts) {
    check->notes.push_back(
        fmt::format("the bank's total is not compared: it has {} accounts, the history {}",
                    accounts, standing.accounts));
    return;
  }
  if (digest.balance_total == standing.total) return;
  using May = Standing::May;
  const May may = standing.may_total == nullptr
                      ? May::kNo
                      : standing.may_total(digest.balance_total, digest.log_index);
  if (may == May::kYes) return;
  if (may == May::kUnknown) {
    check->undecided_because =
        "it was not found out whether what is unknown explains the bank's total";
    return;
  }
  check->violations.push_back(
      Make(ViolationKind::kTotal,
           fmt::format("the balances of branch {} sum up to {}, but the operations to {}{}",
                       digest.branch, digest.balance_total, ToString(standing.total),
                       standing.may_total == nullptr
                           ? ""
                           : ", and nothing that is unknown explains the difference"),
           digest.log_index));
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
