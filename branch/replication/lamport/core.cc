#include "branch/replication/lamport/core.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "common/check.h"

namespace bank::replication::lamport {
namespace {

std::string_view BatchOf(std::string_view entry) {
  ledger::EntryHeader header;
  std::string_view batch;
  const absl::Status status = ledger::DecodeEntry(entry, &header, &batch);
  BANK_CHECK(status.ok()) << "an entry that was taken is none: " << status;
  return batch;
}

}  // namespace

bool IsEntry(std::string_view entry) {
  ledger::EntryHeader header;
  std::string_view batch;
  return ledger::DecodeEntry(entry, &header, &batch).ok() &&
         ledger::ValidateBatch(batch, header.count).ok();
}

Core::Core(CoreOptions options)
    : options_(std::move(options)),
      incarnation_(options_.incarnation),
      ledger_(options_.ledger_limits) {
  for (BranchId id : options_.members) {
    members_.emplace(id, Member());
    if (id == options_.self) continue;
    peers_.emplace_back();
    peers_.back().id = id;
  }
  std::sort(peers_.begin(), peers_.end(), [](const Peer& a, const Peer& b) { return a.id < b.id; });
  JoinIfAllAnswered();
}

size_t Core::IndexOf(BranchId id) const {
  size_t i = 0;
  while (i < peers_.size() && peers_[i].id != id) ++i;
  return i;
}

LogIndex Core::known_decided() const {
  return decided_.empty() ? applied_ : std::max(applied_, decided_.rbegin()->first);
}

std::vector<BranchId> Core::Unheard() const {
  std::vector<BranchId> unheard;
  for (const Peer& peer : peers_) {
    if (!joined_ && !peer.answer) unheard.push_back(peer.id);
  }
  return unheard;
}

// --- Taking
// ---------------------------------------------------------------------------------------

Stamp Core::NextMinorStamp() const {
  if (clock_ > floor_.clock) return {clock_, 1, options_.self};
  return {floor_.clock, floor_.minor + 1, options_.self};
}

absl::StatusOr<uint64_t> Core::Take(std::string_view batch, uint64_t count, uint64_t sent_clock,
                                    int64_t now_ms) {
  if (!joined_) return absl::UnavailableError("not every other branch has answered yet");
  if (own_.size() >= options_.open_writes_max) {
    return absl::ResourceExhaustedError("too many writes wait for the other branches");
  }
  if (sent_clock > clock_ + kClockJumpMax) {
    return absl::ResourceExhaustedError("the customer's logical clock is out of reach");
  }
  if (joined_ms_ < 0) {
    joined_ms_ = now_ms;
    joined_bank_ms_ = ledger_.time_ms();
  }
  const std::optional<Movement> movement = MovementOf(batch);
  OwnWrite write;
  if (movement) {
    write.clock = clock_ = std::max(clock_, sent_clock) + 1;
    write.stamp = {clock_, 0, options_.self};
    // Somebody was promised that no smaller stamp comes.
    if (write.stamp <= floor_) write.stamp = NextMinorStamp();
    events_.Add(clock_, ClockEvent::What::kReceivedFromCustomer, BranchId(), *movement);
    if (!movement->can_fail_for_money) Tick(&write.sent_clocks, *movement);
  } else {
    write.stamp = NextMinorStamp();
  }
  write.entry = ledger::EncodeEntry(
      {.time_ms = joined_bank_ms_ + (now_ms - joined_ms_), .count = count}, batch);
  write.needs.resize(peers_.size());
  floor_ = last_own_ = write.stamp;

  Member& self = members_[options_.self];
  const uint64_t sequence = ++self.received;
  self.received_stamp = write.stamp;
  self.undelivered.emplace(sequence, write.stamp);
  pending_.emplace(write.stamp, Pending{sequence, write.entry});
  own_.emplace(sequence, std::move(write));
  Advance();
  return sequence;
}

std::vector<Core::Answer> Core::TakeAnswers() { return std::exchange(answers_, {}); }

// Before each send to a peer the clock ticks; what it shows then is what is sent and what is kept.
void Core::Tick(std::vector<uint64_t>* clocks, const Movement& movement) {
  for (const Peer& peer : peers_) {
    clocks->push_back(++clock_);
    events_.Add(clock_, ClockEvent::What::kSentToBranch, peer.id, movement);
  }
}

void Core::MergeClock(uint64_t sent_clock, BranchId from, const Movement& movement) {
  clock_ = std::max(clock_, sent_clock) + 1;
  events_.Add(clock_, ClockEvent::What::kReceivedFromBranch, from, movement);
}

void Core::NoteAnswer(BranchId from, const OwnWrite& write) {
  if (const auto movement = MovementOf(BatchOf(write.entry))) {
    events_.Add(clock_, ClockEvent::What::kAnsweredByBranch, from, *movement);
  }
}

// --- Saying
// ---------------------------------------------------------------------------------------

std::optional<Request> Core::Next(BranchId to) {
  const size_t i = IndexOf(to);
  if (i == peers_.size() || peers_[i].exchanging) return std::nullopt;
  Peer& peer = peers_[i];
  Request request{.from = options_.self, .incarnation = incarnation_};
  if (!joined_) {
    if (peer.answer) return std::nullopt;
    request.join = true;
    for (const Peer& other : peers_) {
      if (other.incarnation > 0) request.processes.push_back({other.id, other.incarnation});
    }
    peer.exchanging = true;
    return request;
  }
  request.clear = last_own_;
  size_t bytes = 0;
  for (auto it = own_.upper_bound(peer.acked_received); it != own_.end(); ++it) {
    const OwnWrite& write = it->second;
    if (write.entry.empty()) continue;
    if (bytes > options_.request_bytes_max) {
      request.clear = request.writes.back().stamp;
      break;
    }
    bytes += write.entry.size() + sizeof(Write);
    request.writes.push_back({.sequence = it->first,
                              .stamp = write.stamp,
                              .entry = write.entry,
                              .sent_clock = write.sent_clocks.empty() ? 0 : write.sent_clocks[i]});
  }
  for (auto it = own_.upper_bound(peer.acked_decided); it != own_.end(); ++it) {
    const OwnWrite& write = it->second;
    if (write.index.value == 0 || bytes > 2 * options_.request_bytes_max) break;
    bytes += sizeof(Decision);
    request.decisions.push_back(
        {.sequence = it->first,
         .index = write.index,
         .sent_clock = write.decision_clocks.empty() ? 0 : write.decision_clocks[i]});
  }
  if (request.writes.empty() && request.decisions.empty() && request.clear == peer.told_clear) {
    return std::nullopt;
  }
  request.applied = applied_;
  peer.exchanging = true;
  peer.telling_clear = request.clear;
  return request;
}

void Core::OnFailure(BranchId to) {
  if (const size_t i = IndexOf(to); i < peers_.size()) peers_[i].exchanging = false;
}

void Core::OnReply(BranchId from, Reply reply) {
  const size_t i = IndexOf(from);
  if (i == peers_.size()) return;
  Peer& peer = peers_[i];
  peer.exchanging = false;
  if (reply.result == Reply::Result::kRefused) OnRefusal(reply);
  if (reply.result != Reply::Result::kTaken) return;
  if (!joined_) return OnJoinReply(i, std::move(reply));
  // An answer of a process that has been replaced promises nothing.
  if (reply.incarnation != peer.incarnation) return;
  peer.told_clear = peer.telling_clear;
  const Member& self = members_[options_.self];
  for (auto it = own_.upper_bound(peer.acked_received);
       it != own_.end() && it->first <= std::min(reply.received, self.received); ++it) {
    OwnWrite& write = it->second;
    if (write.index.value == 0) write.needs[i] = std::min(reply.last_own, write.stamp);
    if (!write.sent_clocks.empty()) NoteAnswer(peer.id, write);
  }
  for (auto it = own_.upper_bound(peer.acked_decided);
       it != own_.end() && it->first <= std::min(reply.decided, self.delivered); ++it) {
    if (!it->second.decision_clocks.empty()) NoteAnswer(peer.id, it->second);
  }
  peer.acked_received = std::max(peer.acked_received, std::min(reply.received, self.received));
  peer.acked_decided = std::max(peer.acked_decided, std::min(reply.decided, self.delivered));
  peer.applied = std::max(peer.applied, reply.applied);
  Advance();
  Trim();
}

// --- Hearing
// --------------------------------------------------------------------------------------

// Nothing of it is taken unless all of it may be.
bool Core::Acceptable(const Request& request) const {
  const Member& sender = members_.at(request.from);
  const uint64_t clock_max = std::max(clock_, floor_.clock) + kClockJumpMax;
  Stamp above = sender.received_stamp;
  uint64_t next = sender.received + 1;
  for (const Write& write : request.writes) {
    if (write.sequence < next) continue;  // it is here already
    if (write.sequence != next || write.stamp.branch != request.from || write.stamp <= above ||
        write.stamp.clock > clock_max || write.sent_clock > clock_max || !IsEntry(write.entry)) {
      return false;
    }
    above = write.stamp;
    ++next;
  }
  for (const Decision& decision : request.decisions) {
    if (decision.sequence <= sender.decided) continue;
    if (decision.sequence >= next || decision.index <= applied_ ||
        decision.sent_clock > clock_max) {
      return false;
    }
  }
  return request.clear.clock <= clock_max;
}

Reply Core::OnRequest(Request request) {
  Reply reply{.incarnation = incarnation_};
  const size_t i = IndexOf(request.from);
  if (i == peers_.size()) {
    reply.result = Reply::Result::kRefused;
    return reply;
  }
  Peer& peer = peers_[i];
  if (request.incarnation < peer.incarnation) {
    reply.result = Reply::Result::kRefused;
  } else if (request.join) {
    OnJoinRequest(i, request, &reply);
  } else if (!joined_) {
    reply.result = Reply::Result::kJoining;
  } else if (request.incarnation > peer.incarnation || !Acceptable(request)) {
    reply.result = Reply::Result::kRefused;
  } else {
    for (Write& write : request.writes) Receive(request.from, std::move(write));
    for (const Decision& decision : request.decisions) ReceiveDecision(request.from, decision);
    peer.clear = std::max(peer.clear, request.clear);
    peer.applied = std::max(peer.applied, request.applied);
    Advance();
    Trim();
  }
  reply.newest = peer.incarnation;
  const Member& sender = members_[request.from];
  reply.received = sender.received;
  reply.decided = sender.decided;
  reply.last_own = last_own_;
  reply.applied = applied_;
  return reply;
}

void Core::Receive(BranchId from, Write write) {
  Member& sender = members_[from];
  if (write.sequence <= sender.received) return;
  sender.received = write.sequence;
  sender.received_stamp = write.stamp;
  sender.undelivered.emplace(write.sequence, write.stamp);
  if (write.sent_clock > 0) {
    if (const auto movement = MovementOf(BatchOf(write.entry))) {
      MergeClock(write.sent_clock, from, *movement);
    }
  }
  floor_ = std::max(floor_, write.stamp);
  pending_.emplace(write.stamp, Pending{write.sequence, std::move(write.entry)});
}

void Core::ReceiveDecision(BranchId from, const Decision& decision) {
  Member& sender = members_[from];
  if (decision.sequence != sender.decided + 1) return;
  sender.decided = decision.sequence;
  const auto stamp = sender.undelivered.find(decision.sequence);
  if (stamp == sender.undelivered.end()) return;  // applied before it joined
  if (decision.sent_clock > 0) {
    if (const auto movement = MovementOf(BatchOf(pending_.at(stamp->second).entry))) {
      MergeClock(decision.sent_clock, from, *movement);
    }
  }
  decided_.emplace(decision.index, stamp->second);
}

// --- Applying
// -------------------------------------------------------------------------------------

bool Core::IsOrdered(const OwnWrite& write) const {
  for (size_t i = 0; i < peers_.size(); ++i) {
    if (!write.needs[i] || peers_[i].clear < *write.needs[i]) return false;
  }
  return true;
}

void Core::Advance() {
  while (!pending_.empty()) {
    auto next = pending_.begin();
    const auto decided = decided_.find(applied_.Next());
    if (decided != decided_.end()) {
      next = pending_.find(decided->second);
      decided_.erase(decided);
    } else if (next->first.branch != options_.self || !IsOrdered(own_.at(next->second.sequence))) {
      return;
    }
    Apply(next);
  }
}

void Core::Apply(std::map<Stamp, Pending>::iterator next) {
  const Stamp stamp = next->first;
  const BranchId origin = stamp.branch;
  const Pending write = std::move(next->second);
  pending_.erase(next);
  applied_ = applied_.Next();
  std::vector<ledger::Outcome> outcomes;
  const absl::Status applied = ledger_.Apply(write.entry, &outcomes);
  BANK_CHECK(applied.ok()) << "an entry that was taken cannot be applied: " << applied;
  Member& member = members_[origin];
  member.delivered = write.sequence;
  member.undelivered.erase(write.sequence);
  if (!peers_.empty()) tail_.push_back({applied_, origin, write.sequence});
  if (origin != options_.self) return;

  member.decided = write.sequence;
  OwnWrite& own = own_.at(write.sequence);
  own.index = applied_;
  const auto movement = MovementOf(BatchOf(write.entry));
  const bool moved =
      std::any_of(outcomes.begin(), outcomes.end(), [](const ledger::Outcome& outcome) {
        return outcome.code == ledger::Code::kOk && !outcome.replayed;
      });
  if (movement && movement->can_fail_for_money && moved) Tick(&own.decision_clocks, *movement);
  if (write.sequence >= first_of_process_) {
    answers_.push_back({write.sequence, stamp, own.clock, std::move(outcomes)});
  }
  if (peers_.empty()) own_.erase(write.sequence);
}

void Core::Trim() {
  uint64_t decided = UINT64_MAX;
  LogIndex applied = applied_;
  for (const Peer& peer : peers_) {
    decided = std::min(decided, peer.acked_decided);
    applied = std::min(applied, peer.applied);
  }
  while (!own_.empty() && own_.begin()->first <= decided) own_.erase(own_.begin());
  while (!tail_.empty() && tail_.front().index <= applied) tail_.pop_front();
}

}  // namespace bank::replication::lamport
