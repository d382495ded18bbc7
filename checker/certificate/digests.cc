#include "checker/certificate/digests.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "common/agreement.h"
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

void CheckEnd(const Digest& digest, const ExpectedState& expected_state, DigestCheck* check) {
  const EndState& end = expected_state.end;
  const Fit fit = FitOf(digest, end);
  if (fit == Fit::kTooFewAccounts) {
    check->violations.push_back(
        Make(ViolationKind::kTotal,
             fmt::format("branch {} has {} accounts, but the history needs {}", digest.branch,
                         digest.accounts, ToString(end.accounts.low)),
             digest.log_index));
    return;
  }
  const bool has_unknown = expected_state.may_end != nullptr;
  if (fit == Fit::kFits || (has_unknown && !end.is_exact())) {
    if (digest.has_balance_total && !end.is_exact()) {
      check->notes.push_back(
          "the bank's total is compared as far as possible: the history does not know all "
          "accounts");
    }
    return;
  }
  using May = ExpectedState::May;
  const May may = has_unknown ? expected_state.may_end(digest) : May::kNo;
  if (may == May::kYes) return;
  if (may == May::kUnknown) {
    check->undecided_because =
        "it was not found out whether what is unknown explains the bank's total";
    return;
  }
  check->violations.push_back(
      Make(ViolationKind::kTotal,
           fmt::format("the balances of branch {} sum up to {}, but the operations to {}{}{}",
                       digest.branch, digest.balance_total, end.is_exact() ? "" : "at least ",
                       ToString(end.all.low),
                       has_unknown ? ", and nothing that is unknown explains the difference" : ""),
           digest.log_index));
}

std::string MoneyOf(const Digest& digest) {
  std::string text;
  if (digest.accounts >= 0) text += fmt::format("{} accounts", digest.accounts);
  if (digest.has_balance_total) {
    text += fmt::format("{}total {}", text.empty() ? "" : ", ", digest.balance_total);
  }
  return text;
}

std::string AllOf(const Digest& digest) {
  std::string text = "state " + digest.state;
  if (!digest.history.empty()) text += ", history " + digest.history;
  const std::string money = MoneyOf(digest);
  return money.empty() ? text : text + ", " + money;
}

std::string TextOf(const Agreement::Difference& difference, std::string_view place) {
  std::string camps;
  for (const auto& [what, branches] : difference.branches_of) {
    camps += camps.empty() ? "" : "; ";
    camps += branches.size() == 1 ? "branch" : "branches";
    for (const BranchId branch : branches) camps += fmt::format(" {}", branch.value);
    camps += ": " + what;
  }
  return fmt::format("branches differ at {} {}: {}", place, difference.applied.value, camps);
}

// Where all say how many entries they had applied, they are compared there: an entry of retries
// changes a state and takes no position. It changes no money, so that must be equal at equal
// positions too. Where one does not say it, all is compared at equal positions.
std::optional<Violation> FindDifference(const std::vector<Digest>& digests) {
  const bool by_entry = std::all_of(digests.begin(), digests.end(),
                                    [](const Digest& d) { return d.applied_index.has_value(); });
  Agreement at_entry(digests.size() + 1);
  Agreement at_position(digests.size() + 1);
  for (const Digest& digest : digests) {
    const BranchId branch(digest.branch);
    const LogIndex position(digest.log_index);
    if (by_entry) at_entry.Note(branch, LogIndex(*digest.applied_index), AllOf(digest));
    at_position.Note(branch, position, by_entry ? MoneyOf(digest) : AllOf(digest));
  }
  if (const auto& difference = at_entry.difference()) {
    return Make(ViolationKind::kDigest, TextOf(*difference, "entry"), 0);
  }
  if (const auto& difference = at_position.difference()) {
    return Make(ViolationKind::kDigest, TextOf(*difference, "log index"),
                difference->applied.value);
  }
  return std::nullopt;
}

}  // namespace

DigestCheck CheckDigests(const std::vector<Digest>& digests, const ExpectedState* expected_state) {
  DigestCheck check;
  std::vector<Violation>& violations = check.violations;
  std::map<uint64_t, const Digest*> last;
  for (const Digest& digest : digests) last[digest.branch] = &digest;
  if (std::optional<Violation> difference = FindDifference(digests); difference.has_value()) {
    violations.push_back(*std::move(difference));
  }
  std::map<uint64_t, std::string> branches_at;  // by position
  for (const auto& [branch, digest] : last) {
    std::string& names = branches_at[digest->log_index];
    names += fmt::format("{}{}", names.empty() ? "" : ", ", branch);
  }
  if (branches_at.size() > 1) {
    std::string text;
    for (const auto& [index, branches] : branches_at) {
      text += fmt::format("{}branch {} at {}", text.empty() ? "" : "; ", branches, index);
    }
    violations.push_back(
        Make(ViolationKind::kDigest, "branches stand at different log indexes: " + text, 0));
  }
  if (expected_state == nullptr || !violations.empty() || last.empty()) return check;
  const Digest& any = *last.begin()->second;
  if (any.log_index < expected_state->index_newest) {
    violations.push_back(
        Make(ViolationKind::kDigest,
             fmt::format("the branches end at log index {}, but position {} was answered",
                         any.log_index, expected_state->index_newest),
             any.log_index));
    return check;
  }
  if (any.log_index < expected_state->positions) {
    violations.push_back(
        Make(ViolationKind::kDigest,
             fmt::format("the branches end at log index {}, but {} operations took a position",
                         any.log_index, expected_state->positions),
             any.log_index));
    return check;
  }
  CheckEnd(any, *expected_state, &check);
  return check;
}

}  // namespace bank::checker
