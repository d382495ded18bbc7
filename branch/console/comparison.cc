#include "branch/console/comparison.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iterator>

namespace bank::console {
namespace {

// Enough for the checkpoints of branches some seconds apart.
constexpr size_t kIndexesMax = 256;

}  // namespace

void Comparison::Note(const Branch& branch, uint64_t index, uint64_t digest) {
  auto& digests = by_index_[index];
  digests[branch.id] = digest;
  for (const auto& [other, value] : digests) {
    if (value != digest && broken_.empty()) {
      broken_ = fmt::format("branches {} and {} differ at entry {}: {:016x} and {:016x}",
                            other.value, branch.id.value, index, value, digest);
    }
  }
}

Compared Comparison::Compare(const std::vector<Branch>& branches) {
  size_t live = 0;
  for (const Branch& branch : branches) {
    if (!branch.live || branch.status == nullptr) continue;
    ++live;
    const replication::ReplicatorStatus& status = *branch.status;
    if (status.applied_index.value == 0) continue;
    Note(branch, status.applied_index.value, status.ledger.state_digest);
    if (status.checkpoints == nullptr) continue;
    for (const replication::Checkpoint& checkpoint : *status.checkpoints) {
      Note(branch, checkpoint.index.value, checkpoint.state_digest);
    }
  }
  while (by_index_.size() > kIndexesMax) by_index_.erase(by_index_.begin());
  if (!broken_.empty()) return {Agreement::kBroken, broken_};
  if (live == 0) return {Agreement::kUnknown, "no branch answers"};

  // The newest entry at which all that are live were seen.
  for (auto it = by_index_.rbegin(); it != by_index_.rend(); ++it) {
    std::vector<uint64_t> here;
    for (const Branch& branch : branches) {
      if (branch.live && it->second.contains(branch.id)) here.push_back(branch.id.value);
    }
    if (here.size() < live) continue;
    const bool all = here.size() == branches.size();
    return {all ? Agreement::kHolds : Agreement::kPartial,
            fmt::format("digests equal at entry {} on {} {}", it->first,
                        here.size() == 1 ? "branch" : "branches", fmt::join(here, ", "))};
  }
  return {Agreement::kUnknown, "the branches were not yet seen at one entry"};
}

}  // namespace bank::console
