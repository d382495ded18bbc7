#include "checker/counted_end.h"

#include <algorithm>
#include <set>
#include <vector>

#include "checker/search/search.h"

namespace bank::checker {
namespace {

// So many operations of unknown outcome are tried in all combinations to explain a total, beside so
// many others, and so many combinations are searched.
constexpr size_t kTotalOfMax = 16;
constexpr size_t kOthersMax = 2'000;
constexpr size_t kTotalSearchesMax = 64;

}  // namespace

// Whether an order explains the answers in which unknown operations, `room` at most, change the
// total by so much.
absl::StatusOr<ExpectedState::May> CountedEnd::MayBe(Wide change, uint64_t room) {
  std::vector<Operation> others;
  std::vector<Operation> unknown;  // those that change it
  Wide most = 0;
  Wide least = 0;
  const absl::Status status = passes_->ForEachEffect([&](const Operation& op) {
    const bool counts = op.is_unknown() && op.kind != OpKind::kTransfer;
    (counts ? unknown : others).push_back(op);
    const Wide by = counts ? ChangeOf(op, op.account) : Wide{0};  // amounts may be negative
    (by < 0 ? least : most) += by;
  });
  if (!status.ok()) return status;
  if (change > most || change < least) return ExpectedState::May::kNo;
  if (unknown.size() > kTotalOfMax || others.size() > kOthersMax) {
    return ExpectedState::May::kUnknown;
  }
  SearchOptions options;
  options.searching = budget_.Share(1, 2);
  options.minimizing = budget_;
  options.positions = passes_->indexed() != 0;
  options.has_others = options_.has_others;
  auto may = ExpectedState::May::kNo;
  size_t searches = 0;
  for (uint32_t set = 0; set < uint32_t{1} << unknown.size(); ++set) {
    Wide sum = 0;
    std::vector<Operation> operations = others;
    for (size_t i = 0; i < unknown.size(); ++i) {
      if ((set >> i & 1) == 0) continue;
      operations.push_back(AsDone(unknown[i]));
      operations.back().return_ns = kNever;
      sum += ChangeOf(unknown[i], unknown[i].account);
    }
    if (sum != change || operations.size() - others.size() > room) continue;
    if (++searches > kTotalSearchesMax) return ExpectedState::May::kUnknown;
    const SearchResult found = Search(operations, passes_->initial(), names_, options);
    if (found.answer == SearchAnswer::kLinearizable) return ExpectedState::May::kYes;
    if (found.answer == SearchAnswer::kUnknown) may = ExpectedState::May::kUnknown;
  }
  return may;
}

// What the operations add up to, whatever their order was.
absl::StatusOr<ExpectedState> CountedEnd::Count(uint64_t newest) {
  ExpectedState expected_state;
  expected_state.index_newest = newest;
  Wide total = 0;
  std::set<uint32_t> accounts;  // that are there for certain
  for (const auto& [account, balance] : passes_->initial().balances) {
    total += balance;
    accounts.insert(account);
  }
  std::set<uint32_t> there;   // not by the header
  std::set<uint32_t> absent;  // at some moment, and opened by nobody for certain
  bool has_unknown = false;
  bool has_opening = false;  // of unknown outcome
  const absl::Status status = passes_->ForEachEffect([&](const Operation& op) {
    if (op.is_positioned()) ++expected_state.positions;
    has_unknown = has_unknown || op.is_unknown();
    const bool told = op.is_read() || op.is_positioned();
    if (told && TellsPresence(op)) there.insert(op.account);
    if (told && op.answer == Answer::kUnknownAccount && op.kind != OpKind::kTransfer) {
      absent.insert(op.account);
    }
    if (op.is_unknown() && op.kind == OpKind::kOpen) has_opening = true;
    if (!op.took_effect()) return;
    if (op.kind == OpKind::kOpen) accounts.insert(op.account);
    if (op.to != kNoAccount) there.insert(op.to);
    if (op.kind == OpKind::kOpen || op.kind == OpKind::kDeposit) total += op.amount;
    if (op.kind == OpKind::kWithdraw) total -= op.amount;
  });
  if (!status.ok()) return status;
  bool has_strangers = false;
  Wide undecided = 0;
  for (uint32_t account = 0; account < names_.size(); ++account) {
    if (accounts.contains(account) || names_.is_bad(account)) continue;
    if (there.contains(account)) {
      has_strangers = true;
      accounts.insert(account);
    } else if (has_opening || !absent.contains(account)) {
      undecided += 1;
    }
  }
  // What strangers held at first comes to what was counted.
  const bool has_others =
      !passes_->initial().given || options_.foreign_writers || options_.has_others;
  EndState& end = expected_state.end;
  end.accounts.low = static_cast<Wide>(accounts.size());
  end.accounts.high = has_others ? kUnbounded : end.accounts.low + undecided;
  const Wide reached = total + options_.taken;
  end.certain = {std::max<Wide>(reached, 0), has_strangers || has_others ? kUnbounded : reached};
  end.all = {end.certain.low, undecided != 0 ? kUnbounded : end.certain.high};
  if (has_unknown) {
    expected_state.may_end = [this, total, taken = expected_state.positions](const Digest& digest) {
      const auto may =
          MayBe(digest.balance_total - total, digest.log_index - std::min(digest.log_index, taken));
      return may.ok() ? *may : ExpectedState::May::kUnknown;
    };
  }
  return expected_state;
}

}  // namespace bank::checker
