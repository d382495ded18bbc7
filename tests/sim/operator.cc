#include "tests/sim/operator.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "branch/replication/engine/configuration.h"

namespace bank::sim {

using replication::ChangeFate;
using replication::ChangeResult;
using replication::Member;
using replication::MemberChange;
using replication::Membership;
using replication::MemberTarget;

bool Contains(const std::vector<BranchProcess*>& branches, const BranchProcess* branch) {
  return std::find(branches.begin(), branches.end(), branch) != branches.end();
}

std::string Operator::AddressOf(BranchId id) { return absl::StrCat("branch-", id.value, ":1"); }

void Operator::Begin(SimTime pause_mean) {
  pause_mean_ = pause_mean;
  ChangeLater();
}

void Operator::ChangeLater() {
  world_.scheduler.After(random_.Between(pause_mean_ / 4, pause_mean_ * 2), [this] {
    if (ended_) return;
    ChangeSomething();
    ChangeLater();
  });
}

void Operator::ChangeSomething() {
  BranchProcess* const leader = Leader();
  if (leader == nullptr || leader->paused()) return;
  // Who has lost a voter does not take the vote from another before that one is back.
  for (const BranchProcess* member : Members()) {
    if (member->recovering()) return;
  }
  BranchProcess* branch = random_.Pick(world_.branches);
  if (random_.OneIn(5)) branch = leader;
  static const std::vector<MemberTarget> kTargets = {MemberTarget::kVoter, MemberTarget::kVoter,
                                                     MemberTarget::kStandby, MemberTarget::kGone};
  const MemberChange change{branch->id(), random_.Pick(kTargets), AddressOf(branch->id())};
  // Whoever is to join has to run; a damaged folder is the nemesis's business.
  if (branch->state() == BranchProcess::State::kDown) branch->Start();
  ++world_.statistics.member_changes_asked;
  world_.trace.Note("change member", branch->id().value, static_cast<uint64_t>(change.target));
  leader->ChangeMember(change, random_.Between(300, 4000),
                       [this, change, led = branch == leader](const ChangeResult& result) {
                         OnChanged(change, led, result);
                       });
}

void Operator::OnChanged(const MemberChange& change, bool led, const ChangeResult& result) {
  Statistics& count = world_.statistics;
  world_.trace.Note("member changed", change.branch.value, static_cast<uint64_t>(result.fate),
                    result.index.value);
  if (world_.trace.printing()) printf("    %s\n", result.reason.c_str());
  if (result.fate != ChangeFate::kDone) {
    ++(result.fate == ChangeFate::kRefused ? count.member_changes_refused
                                           : count.member_changes_unknown);
    return;
  }
  if (result.index == LogIndex(0)) return;  // it was so already
  if (change.target == MemberTarget::kVoter) ++count.members_promoted;
  if (change.target == MemberTarget::kStandby) ++count.members_made_standby;
  if (change.target == MemberTarget::kGone) ++count.members_removed;
  if (led) ++count.leaders_demoted;
}

BranchProcess* Operator::Leader() const {
  BranchProcess* newest = nullptr;
  for (BranchProcess* each : world_.branches) {
    if (!each->up() || each->status().role != replication::Role::kLeader) continue;
    if (newest == nullptr || each->status().term > newest->status().term) newest = each;
  }
  return newest;
}

const Membership* Operator::Newest() const {
  const Membership* newest = nullptr;
  for (const BranchProcess* each : world_.branches) {
    const Membership& known = each->membership();
    if (!known.committed || known.index == LogIndex(0)) continue;  // 0: it has joined nothing yet
    if (newest == nullptr || known.index > newest->index) newest = &known;
  }
  return newest;
}

std::vector<BranchProcess*> Operator::Members() const {
  std::vector<BranchProcess*> members;
  const Membership* const newest = Newest();
  if (newest == nullptr) return members;
  for (const Member& member : newest->members) {
    members.push_back(world_.branches[member.id.value - 1]);
  }
  return members;
}

std::vector<BranchProcess*> Operator::Voters() const {
  std::vector<BranchProcess*> voters;
  const Membership* const newest = Newest();
  if (newest == nullptr) return voters;
  for (const Member& member : newest->members) {
    if (member.voter) voters.push_back(world_.branches[member.id.value - 1]);
  }
  return voters;
}

std::vector<const Membership*> Operator::InForce() const {
  std::vector<const Membership*> in_force;
  const Membership* const newest = Newest();
  for (const BranchProcess* each : world_.branches) {
    const Membership& known = each->membership();
    if (newest == nullptr || known.index >= newest->index) in_force.push_back(&known);
  }
  return in_force;
}

bool Operator::Settled() const {
  const Membership* const newest = Newest();
  const std::vector<BranchProcess*> members = Members();
  const auto knows_more = [newest](const BranchProcess* branch) {
    const Membership& known = branch->membership();
    return known.change.has_value() || known.index > newest->index;
  };
  // What an outsider holds beyond that, nobody sent it to the members.
  return Leader() != nullptr && newest != nullptr &&
         std::all_of(world_.branches.begin(), world_.branches.end(),
                     [](const BranchProcess* branch) { return branch->up(); }) &&
         std::none_of(members.begin(), members.end(), knows_more);
}

// How many of `known`'s voters would vote without `missing`, of `*voters`. One that has not heard
// of its promotion refuses to; there can be one, and no more (docs/ENGINE.md, guard 6).
size_t Operator::CountElectors(const Membership& known, const std::vector<BranchProcess*>& missing,
                               size_t* voters) const {
  size_t electors = 0;
  size_t unaware = 0;
  *voters = 0;
  for (const Member& member : known.members) {
    BranchProcess* const process = world_.branches[member.id.value - 1];
    if (!member.voter) continue;
    ++*voters;
    if (!IsSound(*process) || Contains(missing, process)) continue;
    ++electors;
    const Member* const itself =
        replication::FindMember(process->membership().members, process->id());
    if (itself == nullptr || !itself->voter) unaware = 1;
  }
  return electors - unaware;
}

bool Operator::CanElectWithout(const std::vector<BranchProcess*>& missing) const {
  for (const Membership* known : InForce()) {
    size_t voters = 0;
    const size_t electors = CountElectors(*known, missing, &voters);
    if (electors <= voters / 2) return false;
  }
  return true;
}

bool Operator::CanSpare(BranchProcess& branch) const {
  for (const Membership* known : InForce()) {
    // Nobody knows who will vote in a moment; whoever is about to lose its vote does not any more.
    if (known->change.has_value() || !known->committed) return false;
    const Member* const member = replication::FindMember(known->members, branch.id());
    if (member == nullptr || !member->voter) continue;
    size_t voters = 0;
    const size_t electors = CountElectors(*known, {&branch}, &voters);
    if (electors <= voters / 2) return false;
  }
  return true;
}

}  // namespace bank::sim
