// The membership: an operator's changes at the leader, and branches that are members no longer.
//
// A branch that is removed is not sent the change that removes it. Whoever knows that it is gone
// tells it: the leader when the change is committed, and each branch that it asks for a vote. It
// then campaigns no more, until a leader speaks to it again. It believes only those who know a
// newer membership than the one it knows itself to be in, and who say so again when they are asked
// (driver_challenge.cc); since that one is committed, its vote is not needed for any election.
#include <utility>

#include "branch/replication/driver/driver_state.h"

namespace bank::replication {

ChangeFacts Driver::State::GatherChangeFacts() const {
  const bool guarded = Guarded(6);
  const LogIndex last_change = engine.committed_configuration_index();
  ChangeFacts facts;
  for (Member& member : engine.members()) {
    const bool self = member.id == options.self;
    const LogIndex match = engine.match_index(member.id);
    const auto heard = heard_ms.find(member.id);
    const bool answers =
        heard != heard_ms.end() && heard->second + options.election_timeout_ms > now_ms;
    facts.peers.push_back(
        {.member = std::move(member),
         .answers = self || answers || !guarded,
         .holds_change = match >= last_change || !guarded,
         .in_step = match.Plus(options.inflight_entries_max) >= log.last_index()});
  }
  facts.settled = !engine.change_pending() && leader_ready;
  facts.transferring = transfer.has_value() || engine.transferring();
  facts.catch_up = engine.catch_up(member_changes.change().branch);
  return facts;
}

void Driver::State::DriveMemberChange() {
  while (member_changes.running()) {
    ChangeStep step = member_changes.Next(GatherChangeFacts());
    switch (step.what) {
      case ChangeStep::What::kNothing:
        return;
      case ChangeStep::What::kCatchUp: {
        const core_status status = engine.CatchUp(now_ms, step.branch);
        member_changes.CatchUpBegun(status);
        if (status != CORE_OK && status != CORE_UP_TO_DATE) return;
        break;
      }
      case ChangeStep::What::kSubmit: {
        absl::StatusOr<std::string> bytes =
            EncodeConfiguration(step.members, options.initial_members);
        core_status status = CORE_MALFORMED;
        LogIndex index;
        if (bytes.ok()) index = engine.Change(now_ms, *std::move(bytes), &status);
        member_changes.Submitted(status, index);
        return;
      }
    }
  }
}

// The membership as of last_applied is `configuration` now.
void Driver::State::OnMembersCommitted() {
  std::vector<Member> before =
      std::exchange(committed_members, DecodeConfiguration(configuration, options.initial_members));
  const auto is_gone = [&](const Member& member) {
    return FindMember(committed_members, member.id) == nullptr;
  };
  for (const Member& member : before) {
    if (!is_gone(member)) continue;
    commit_told.erase(member.id);
    heard_ms.erase(member.id);
    if (member.id == options.self) {
      // Not if it has come back since: a restart applies its removal of long ago once more.
      SetRemoved(FindMember(engine.members(), options.self) == nullptr, options.self);
    } else if (leads) {
      ports.Send(member.id, NoMember{engine.term(), configuration_index});
    }
  }
}

// Whether the committed membership is known, and `id` is none of it.
bool Driver::State::IsGone(BranchId id) const {
  return !committed_members.empty() && FindMember(committed_members, id) == nullptr;
}

void Driver::State::TellIfNoMember(BranchId from) {
  if (IsGone(from)) ports.Send(from, NoMember{engine.term(), configuration_index});
}

// Whether that is news: a change that this branch does not know has removed it. One that has never
// been a member, and knows of no membership, waits for a leader as it is.
bool Driver::State::OutdatesMembership(LogIndex no_member_since) const {
  const LogIndex known = engine.configuration_index();
  return !removed && !leads && known > LogIndex(0) && no_member_since > known;
}

void Driver::State::SetRemoved(bool now_removed, BranchId witness) {
  if (removed == now_removed) return;
  removed = now_removed;
  ports.OnRemoved(removed, witness);
}

Membership Driver::State::GetMembership() const {
  Membership membership;
  membership.index = engine.configuration_index();
  membership.committed = !engine.change_pending();
  membership.members = engine.members();
  if (member_changes.running()) {
    membership.change = member_changes.change();
    membership.waits_for = member_changes.waits_for();
  }
  return membership;
}

}  // namespace bank::replication
