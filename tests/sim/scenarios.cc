#include "tests/sim/scenarios.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bank::sim {
namespace {

using replication::ChangeFate;
using replication::ChangeResult;
using replication::Member;
using replication::MemberTarget;
using replication::ReplicatorStatus;
using replication::Role;

constexpr int64_t kPromotionMs = 20'000;
constexpr int kPromotionAttemptsMax = 5;

// One of them leads, and the others know it.
bool FollowOne(const std::vector<BranchProcess*>& voters) {
  const auto leader = std::find_if(voters.begin(), voters.end(), [](const BranchProcess* branch) {
    return branch->up() && branch->status().role == Role::kLeader && branch->status().ready;
  });
  if (leader == voters.end()) return false;
  return std::all_of(voters.begin(), voters.end(), [leader](const BranchProcess* branch) {
    const ReplicatorStatus& status = branch->status();
    return branch->up() && status.leader == (*leader)->id() &&
           status.term == (*leader)->status().term;
  });
}

}  // namespace

void Scenarios::ElectWithoutSome(Nemesis& nemesis) {
  const std::vector<BranchProcess*> missing = ChooseMissing();
  if (missing.empty()) return;
  // Whoever starts again has forgotten everything but its log and its term.
  if (random_.OneIn(2)) {
    for (BranchProcess* branch : world_.branches) branch->Stop(BranchProcess::Cause::kPowerLoss);
  }
  nemesis.Heal(missing);
  await_("whoever is not missing up", [this, &missing] {
    return std::all_of(world_.branches.begin(), world_.branches.end(), [&](const auto* branch) {
      return branch->up() || Contains(missing, branch);
    });
  });
  // With what it had not synced a branch may have lost the news that it votes: it refuses to
  // (docs/ENGINE.md, guard 6).
  if (!operator_.CanElectWithout(missing)) return;
  ++world_.statistics.elections_without_some;
  await_("a leader while some are missing", [this, &missing] {
    std::vector<BranchProcess*> voters = operator_.Voters();  // a change may still be committed
    std::erase_if(voters, [&missing](const BranchProcess* voter) {
      return Contains(missing, voter) || !Operator::IsSound(*voter);
    });
    return FollowOne(voters);
  });
}

std::vector<BranchProcess*> Scenarios::ChooseMissing() {
  std::vector<BranchProcess*> candidates = operator_.Voters();
  for (size_t i = candidates.size(); i > 1; --i) {
    std::swap(candidates[i - 1], candidates[random_.Below(i)]);
  }
  if (!random_.OneIn(3)) {
    std::stable_partition(candidates.begin(), candidates.end(), [](const BranchProcess* branch) {
      return branch->up() && branch->status().role == Role::kLeader;
    });
  }
  std::vector<BranchProcess*> missing;
  for (BranchProcess* candidate : candidates) {
    missing.push_back(candidate);
    if (!operator_.CanElectWithout(missing)) missing.pop_back();
    if (!missing.empty() && random_.OneIn(2)) break;
  }
  return missing;
}

void Scenarios::HandOver() {
  BranchProcess* const leader = operator_.Leader();
  std::vector<BranchProcess*> others = operator_.Voters();
  std::erase(others, leader);
  if (leader == nullptr || others.empty()) return;
  BranchProcess* const target = random_.Pick(others);
  std::optional<absl::Status> over;
  leader->TransferLeadership(target->id(),
                             [&over](absl::Status status) { over = std::move(status); });
  if (over.has_value()) return;  // a change of the members is under way
  ++world_.statistics.leaderships_handed_over;
  await_("the leadership handed over",
         [this, target, &over] { return over.has_value() && operator_.Leader() == target; });
  if (over.has_value() && !over->ok()) {
    world_.Violate(absl::StrCat("leadership is not handed over: ", over->message()));
  }
}

void Scenarios::PromoteStandby() {
  std::vector<BranchProcess*> standbys = operator_.Members();
  const std::vector<BranchProcess*> voters = operator_.Voters();
  std::erase_if(standbys, [&](const BranchProcess* member) { return Contains(voters, member); });
  // A bank of one voter stays one.
  if (operator_.Leader() == nullptr || voters.size() < 2 || standbys.empty()) return;
  const BranchId standby = random_.Pick(standbys)->id();
  ++world_.statistics.idle_standbys_promoted;
  // A leader that is replaced cannot say what becomes of it: then the next one is asked.
  for (int attempts = 0; attempts < kPromotionAttemptsMax; ++attempts) {
    await_("a leader to promote a standby", [this] { return operator_.Leader() != nullptr; });
    if (world_.violated()) return;
    std::optional<ChangeResult> result;
    BranchProcess* const leader = operator_.Leader();
    leader->ChangeMember({standby, MemberTarget::kVoter, ""}, kPromotionMs,
                         [&result](ChangeResult answer) { result = std::move(answer); });
    await_("an idle standby promoted", [&result] { return result.has_value(); });
    if (world_.violated()) return;
    if (result->fate == ChangeFate::kDone) return;
    if (operator_.Leader() != leader) continue;
    return world_.Violate(absl::StrCat("an idle standby is not promoted: ", result->reason));
  }
  world_.Violate("an idle standby is not promoted: leaders come and go");
}

}  // namespace bank::sim
