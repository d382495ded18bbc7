// How a process that has just started takes over what the bank holds; see core.h.
#include <algorithm>
#include <utility>

#include "branch/replication/lamport/core.h"
#include "common/check.h"

namespace bank::replication::lamport {

void Core::SetIncarnation(Peer& peer, uint64_t incarnation) {
  peer.incarnation = incarnation;
  peer.answer.reset();  // to this branch's own join: it was another process's
}

void Core::OnJoinRequest(size_t i, const Request& request, Reply* reply) {
  Peer& peer = peers_[i];
  const bool is_new = peer.incarnation != request.incarnation;
  if (is_new) SetIncarnation(peer, request.incarnation);
  reply->joined = joined_;
  if (!joined_) {
    // What an older process of theirs has said, or is about to, counts no more.
    for (const Process& process : request.processes) {
      const size_t other = IndexOf(process.branch);
      if (other < peers_.size() && process.incarnation > peers_[other].incarnation) {
        SetIncarnation(peers_[other], process.incarnation);
      }
    }
    reply->holds = std::any_of(peers_.begin(), peers_.end(), [](const Peer& other) {
      return other.answer && other.answer->joined;
    });
    return;
  }
  reply->state = MakeState();
  if (!is_new) return;  // it may go on from an earlier answer, and holds what that said at least
  // What it takes over holds all that is applied here, and perhaps no more. What its former process
  // said promises nothing now.
  const uint64_t delivered = members_[options_.self].delivered;
  peer.acked_received = peer.acked_decided = delivered;
  peer.applied = applied_;
  peer.told_clear = Stamp();
  for (auto it = own_.upper_bound(delivered); it != own_.end(); ++it) it->second.needs[i].reset();
}

State Core::MakeState() const {
  State state{.applied = applied_, .highest = floor_};
  if (applied_.value > 0) state.ledger = ledger_.Freeze().Encode();
  for (const auto& [id, member] : members_) state.delivered.emplace_back(id, member.delivered);
  for (const auto& [stamp, pending] : pending_) {
    state.pending.emplace_back(stamp.branch, Write{pending.sequence, stamp, pending.entry, 0});
  }
  state.tail.assign(tail_.begin(), tail_.end());
  return state;
}

// Somebody knows a newer process of this branch. If that is no mistake of a clock, this one is
// what is left of an older one and says no more. A process that joins calls itself newer still.
void Core::OnRefusal(const Reply& reply) {
  if (joined_ || reply.newest < incarnation_) return;
  incarnation_ = reply.newest + 1;
  for (Peer& peer : peers_) peer.answer.reset();
}

bool Core::IsState(const State& state) const {
  if (state.ledger.empty() != (state.applied.value == 0)) return false;
  if (!state.ledger.empty() && !ledger::Ledger::DecodeSnapshot(state.ledger).ok()) return false;
  for (const auto& [origin, write] : state.pending) {
    if (write.stamp.branch != origin || !members_.contains(origin) || !IsEntry(write.entry)) {
      return false;
    }
  }
  return std::all_of(state.delivered.begin(), state.delivered.end(),
                     [this](const auto& of) { return members_.contains(of.first); });
}

void Core::OnJoinReply(size_t i, Reply reply) {
  Peer& peer = peers_[i];
  if (reply.joined && !IsState(reply.state)) return;
  if (reply.incarnation < peer.incarnation) return;  // its newer process asked meanwhile
  if (reply.incarnation > peer.incarnation) SetIncarnation(peer, reply.incarnation);
  peer.answer = std::move(reply);
  JoinIfAllAnswered();
}

// All have answered that they have not joined. Each may have done so since, and whoever it joined
// may be gone. So they are asked once more: if the same processes answer the same again, there was
// a moment between the two rounds at which nobody held anything.
bool Core::IsNewBank() {
  bool same = true;
  for (Peer& peer : peers_) {
    same = same && peer.found_new == peer.incarnation;
    peer.found_new = peer.incarnation;
  }
  return same;
}

void Core::JoinIfAllAnswered() {
  const State* longest = nullptr;
  bool held = false;
  for (const Peer& peer : peers_) {
    if (!peer.answer) return;
    held = held || peer.answer->holds;
    if (!peer.answer->joined) continue;
    const State& state = peer.answer->state;
    if (longest == nullptr || state.applied > longest->applied) longest = &state;
  }
  if (longest == nullptr && (held || !IsNewBank())) {
    for (Peer& peer : peers_) peer.answer.reset();
    return;
  }
  if (longest != nullptr) Adopt(*longest);
  Member& self = members_[options_.self];
  for (Peer& peer : peers_) {
    const Reply& answer = *peer.answer;
    peer.applied = answer.applied;
    if (!answer.joined) continue;
    floor_ = std::max(floor_, answer.state.highest);
    AdoptPending(answer.state);
    // A decision that a former process of this branch told some and not all.
    for (const Applied& applied : answer.state.tail) {
      if (applied.origin != options_.self || applied.sequence > self.delivered) continue;
      own_[applied.sequence].index = applied.index;
    }
  }
  // No peer can have more of this branch's writes than this branch has now.
  for (Peer& peer : peers_) {
    peer.acked_received = std::min(peer.answer->received, self.received);
    peer.acked_decided = std::min(peer.answer->decided, self.delivered);
  }
  for (auto& [sequence, write] : own_) {
    write.needs.resize(peers_.size());
    for (size_t i = 0; i < peers_.size(); ++i) {
      const Reply& answer = *peers_[i].answer;
      if (sequence <= answer.received) write.needs[i] = std::min(answer.last_own, write.stamp);
    }
  }
  last_own_ = std::max(last_own_, self.received_stamp);
  first_of_process_ = self.received + 1;
  for (Peer& peer : peers_) peer.answer.reset();
  joined_ = true;
  Advance();
}

void Core::Adopt(const State& state) {
  applied_ = state.applied;
  if (!state.ledger.empty()) {
    auto ledger = ledger::Ledger::DecodeSnapshot(state.ledger);
    BANK_CHECK(ledger.ok()) << "IsState() has seen it: " << ledger.status();
    ledger_ = *std::move(ledger);
  }
  for (const auto& [id, delivered] : state.delivered) {
    Member& member = members_[id];
    member.received = member.decided = member.delivered = delivered;
  }
  tail_.assign(state.tail.begin(), state.tail.end());
}

void Core::AdoptPending(const State& state) {
  for (const auto& [origin, write] : state.pending) {
    const Member& member = members_[origin];
    if (write.sequence != member.received + 1) continue;  // here already, in another's answer too
    if (write.stamp <= member.received_stamp) continue;   // no branch stamps like that
    if (origin == options_.self) {
      OwnWrite& own = own_[write.sequence];
      own.stamp = write.stamp;
      own.entry = write.entry;
    }
    Receive(origin, write);
  }
}

}  // namespace bank::replication::lamport
