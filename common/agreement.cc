#include "common/agreement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace bank {
namespace {

template <class Branches>
std::string Names(const Branches& branches) {
  std::vector<uint64_t> numbers;
  for (const BranchId branch : branches) numbers.push_back(branch.value);
  return fmt::format("{} {}", numbers.size() == 1 ? "branch" : "branches",
                     fmt::join(numbers, ", "));
}

}  // namespace

std::string Agreement::Difference::Text() const {
  std::vector<std::string> camps;
  std::vector<std::string_view> digests;
  for (const auto& [digest, branches] : branches_of) {
    camps.push_back(Names(branches));
    digests.push_back(digest);
  }
  return fmt::format("{} differ at entry {}: {}", fmt::join(camps, " and "), applied.value,
                     fmt::join(digests, " and "));
}

void Agreement::Note(BranchId branch, LogIndex applied, std::string_view digest) {
  if (applied == LogIndex{}) return;
  auto& here = by_entry_[applied];
  // The branch's own earlier word counts too: the same entries never give two digests.
  const bool differs = std::any_of(here.begin(), here.end(),
                                   [&](const auto& other) { return other.second != digest; });
  if (differs && !difference_) {
    difference_ = Difference{.applied = applied, .branches_of = {}};
    for (const auto& [other, its_digest] : here) difference_->branches_of[its_digest].insert(other);
    difference_->branches_of[std::string(digest)].insert(branch);
  }
  here[branch] = digest;
  if (by_entry_.size() > entries_max_) by_entry_.erase(by_entry_.begin());
}

Agreement::Verdict Agreement::Judge(const std::vector<BranchId>& live, size_t members) const {
  if (difference_) return {AgreementState::kBroken, difference_->applied, difference_->Text()};
  if (live.empty()) return {AgreementState::kUnknown, {}, "no branch answers"};
  for (auto entry = by_entry_.rbegin(); entry != by_entry_.rend(); ++entry) {
    const auto seen = [&](BranchId branch) { return entry->second.contains(branch); };
    if (!std::all_of(live.begin(), live.end(), seen)) continue;
    return {live.size() == members ? AgreementState::kHolds : AgreementState::kPartial,
            entry->first,
            fmt::format("digests equal at entry {} on {}", entry->first.value, Names(live))};
  }
  return {AgreementState::kUnknown, {}, "the branches were not yet seen at one entry"};
}

}  // namespace bank
