#include "branch/replication/driver/member_changes.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "branch/replication/engine/configuration.h"
#include "common/check.h"

namespace bank::replication {
namespace {

constexpr size_t kAddressBytesMax = 255;

std::string Branch(BranchId id) { return "branch " + std::to_string(id.value); }

const ChangeFacts::Peer* Find(const ChangeFacts& facts, BranchId id) {
  for (const ChangeFacts::Peer& peer : facts.peers) {
    if (peer.member.id == id) return &peer;
  }
  return nullptr;
}

bool Votes(const ChangeFacts::Peer* peer) { return peer != nullptr && peer->member.voter; }

bool IsReached(const MemberChange& change, const Member* member) {
  if (member == nullptr) return change.target == MemberTarget::kGone;
  return change.target == (member->voter ? MemberTarget::kVoter : MemberTarget::kStandby);
}

// The colon also tells it from the names that initial members have (configuration.h).
bool IsAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  return colon != std::string::npos && colon != 0 && colon + 1 < address.size() &&
         address.size() <= kAddressBytesMax &&
         std::all_of(address.begin(), address.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

// Why it can never be; empty if it can.
std::string AddressProblem(const MemberChange& change, const ChangeFacts& facts) {
  const ChangeFacts::Peer* peer = Find(facts, change.branch);
  if (peer != nullptr) {
    if (change.address.empty() || change.address == peer->member.address) return "";
    return Branch(change.branch) + " is a member at " + peer->member.address;
  }
  if (change.target == MemberTarget::kGone) return "";
  if (change.address.empty()) return "an address is needed to add " + Branch(change.branch);
  if (!IsAddress(change.address)) return "an address is HOST:PORT";
  for (const ChangeFacts::Peer& other : facts.peers) {
    if (other.member.address == change.address) {
      return change.address + " is the address of " + Branch(other.member.id);
    }
  }
  return "";
}

std::string Problem(const MemberChange& change, const ChangeFacts& facts) {
  if (change.branch == BranchId(0) || change.branch.value > std::numeric_limits<uint32_t>::max()) {
    return std::to_string(change.branch.value) + " is no number of a branch";
  }
  const std::string address = AddressProblem(change, facts);
  if (!address.empty()) return address;
  const auto voters =
      std::count_if(facts.peers.begin(), facts.peers.end(),
                    [](const ChangeFacts::Peer& peer) { return peer.member.voter; });
  const bool votes = Votes(Find(facts, change.branch));
  if (change.target == MemberTarget::kVoter && !votes && voters < 2) {
    return "a bank of one voter stays one: only a bank founded with more can gain voters";
  }
  if (change.target != MemberTarget::kVoter && votes && voters < 3) {
    return "two voters must remain: a bank of one voter could never gain another";
  }
  return "";
}

}  // namespace

void MemberChanges::Begin(MemberChange change, int64_t deadline_ms, ChangeCallback done) {
  if (running()) {
    const std::string reason =
        "one change at a time: that of " + Branch(running_->change.branch) + " is under way";
    due_.AddChange(std::move(done), {ChangeFate::kRefused, reason, {}});
    return;
  }
  running_ = Running{.change = std::move(change),
                     .deadline_ms = deadline_ms,
                     .done = std::move(done),
                     .in_log = {},
                     .committed = {},
                     .waits_for = "it was not begun in time"};
}

ChangeStep MemberChanges::Next(const ChangeFacts& facts) {
  if (!running() || running_->in_log != LogIndex(0)) return {};
  const ChangeFacts::Peer* peer = Find(facts, running_->change.branch);
  if (std::string problem = Problem(running_->change, facts); !problem.empty()) {
    Finish(ChangeFate::kRefused, std::move(problem));
    return {};
  }
  if (!facts.settled) return Wait("the change before it is not committed");
  if (IsReached(running_->change, peer == nullptr ? nullptr : &peer->member)) {
    Finish(ChangeFate::kDone, "");
    return {};
  }
  if (facts.transferring) return Wait("the leadership is being transferred");
  const bool promotes = running_->change.target == MemberTarget::kVoter && peer != nullptr;
  return promotes ? Promote(facts, *peer) : Submit(facts);
}

ChangeStep MemberChanges::Promote(const ChangeFacts& facts, const ChangeFacts::Peer& standby) {
  if (!standby.answers) return Wait(Branch(standby.member.id) + " does not answer");
  if (running_->catch_up == CatchUp::kRunning) {
    if (facts.catch_up == CORE_CATCH_UP_RUNNING) {
      return Wait(Branch(standby.member.id) + " is being brought up to date");
    }
    const bool finished = facts.catch_up == CORE_CATCH_UP_FINISHED;
    running_->catch_up = finished ? CatchUp::kDone : CatchUp::kNotBegun;
  }
  // It may have fallen back while something else was waited for.
  if (running_->catch_up == CatchUp::kDone && !standby.in_step) {
    running_->catch_up = CatchUp::kNotBegun;
  }
  if (running_->catch_up == CatchUp::kNotBegun) {
    return {ChangeStep::What::kCatchUp, standby.member.id, {}};
  }
  return Submit(facts);
}

void MemberChanges::CatchUpBegun(core_status status) {
  if (status == CORE_OK) {
    running_->catch_up = CatchUp::kRunning;
  } else if (status == CORE_UP_TO_DATE) {
    running_->catch_up = CatchUp::kDone;
  } else {
    Wait("a branch is being brought up to date");
  }
}

ChangeStep MemberChanges::Submit(const ChangeFacts& facts) {
  const MemberChange& change = running_->change;
  ChangeStep step{ChangeStep::What::kSubmit, change.branch, {}};
  for (const ChangeFacts::Peer& peer : facts.peers) {
    if (peer.member.id == change.branch) continue;
    step.members.push_back(peer.member);
    if (!peer.member.voter) continue;
    if (!peer.answers) return Wait(Branch(peer.member.id) + " votes and does not answer");
    if (!peer.holds_change) {
      return Wait(Branch(peer.member.id) + " votes and does not hold the last change yet");
    }
  }
  if (change.target == MemberTarget::kGone) return step;
  const ChangeFacts::Peer* peer = Find(facts, change.branch);
  Member member = peer == nullptr ? Member{change.branch, change.address, false} : peer->member;
  member.voter = peer != nullptr && change.target == MemberTarget::kVoter;
  step.members.push_back(std::move(member));
  return step;
}

void MemberChanges::Submitted(core_status status, LogIndex index) {
  if (status == CORE_OK) {
    running_->in_log = index;
    running_->waits_for = "it is in the log and not committed";
  } else if (status == CORE_MALFORMED) {
    Finish(ChangeFate::kRefused, "a bank cannot have such members, or so many");
  } else if (status == CORE_NOT_YET) {
    Wait("a voter does not hold the last change yet");
  } else {
    Wait("a branch is being brought up to date");
  }
}

void MemberChanges::OnCommitted(LogIndex index, const std::vector<Member>& members) {
  if (!running() || running_->in_log != index) return;
  running_->in_log = LogIndex(0);
  running_->committed = index;
  if (IsReached(running_->change, FindMember(members, running_->change.branch))) {
    Finish(ChangeFate::kDone, "");
  }
}

void MemberChanges::Expire(int64_t now_ms) {
  if (now_ms >= deadline_ms()) GiveUp(std::string(waits_for()));
}

ChangeStep MemberChanges::Wait(std::string reason) {
  running_->waits_for = std::move(reason);
  return {};
}

void MemberChanges::GiveUp(const std::string& reason) {
  if (!running()) return;
  const bool in_log = running_->in_log != LogIndex(0);
  const bool made_standby = running_->committed != LogIndex(0);
  Finish(in_log ? ChangeFate::kUnknown : ChangeFate::kRefused,
         made_standby ? reason + "; the branch was made a standby" : reason);
}

void MemberChanges::Finish(ChangeFate fate, std::string reason) {
  Running running = *std::exchange(running_, std::nullopt);
  const LogIndex index = fate == ChangeFate::kDone ? running.committed : LogIndex(0);
  due_.AddChange(std::move(running.done), {fate, std::move(reason), index});
}

}  // namespace bank::replication
