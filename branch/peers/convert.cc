#include "branch/peers/convert.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "branch/ledger/command.h"
#include "common/crc32c.h"

namespace bank::peers {
namespace {

using replication::Message;

// The engine's bytes of a membership: a few dozen bytes a member.
constexpr size_t kConfigurationBytesMax = 1 << 20;
// What a leader has room for (DriverOptions::proposals_bytes_max).
constexpr size_t kForwardedBytesMax = 64 << 20;
// As far as a deadline in nanoseconds reaches; the leader waits no longer than it wants to.
constexpr int64_t kForwardTimeoutMsMax = std::numeric_limits<int64_t>::max() / 1'000'000;
constexpr size_t kReasonBytesMax = 4096;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

// Checks fields, narrows them, and remembers the first one that is out of its range.
class Bounds {
 public:
  template <class T>
  T To(const char* field, uint64_t value, uint64_t max = std::numeric_limits<T>::max()) {
    Require(field, value <= max);
    return static_cast<T>(value);
  }
  uint8_t Version(uint64_t value) { return To<uint8_t>("version", value); }
  // 0 is the term before the first, and the index before the log.
  Term AnyTerm(const char* field, uint64_t value) {
    return Term(To<uint64_t>(field, value, replication::kTermMax));
  }
  Term SomeTerm(const char* field, uint64_t value) {
    Require(field, value >= 1);
    return AnyTerm(field, value);
  }
  LogIndex AnyIndex(const char* field, uint64_t value) {
    return LogIndex(To<uint64_t>(field, value, replication::kLogIndexMax));
  }
  uint64_t Nonce(const char* field, uint64_t value) {
    Require(field, value >= 1);
    return To<uint64_t>(field, value, replication::kNonceMax);
  }
  LogIndex SomeIndex(const char* field, uint64_t value) {
    Require(field, value >= 1);
    return AnyIndex(field, value);
  }
  void Require(const char* field, bool good) {
    if (!good && bad_ == nullptr) bad_ = field;
  }
  const char* bad() const { return bad_; }
  absl::StatusOr<Message> Result(Message message) const {
    if (bad_ != nullptr) {
      return absl::InvalidArgumentError(std::string("bad field in a branch's message: ") + bad_);
    }
    return message;
  }

 private:
  const char* bad_ = nullptr;
};

// Whatever is taken into the log is applied one day, on every branch, and must be what it claims to
// be. The membership in a change is checked by the engine's shim, before it takes the message.
bool IsEntry(const v1::Entry& entry) {
  switch (entry.type()) {
    case static_cast<uint32_t>(storage::EntryType::kCommand): {
      ledger::EntryHeader header;
      std::string_view batch;
      return ledger::DecodeEntry(entry.payload(), &header, &batch).ok() && header.time_ms >= 0 &&
             header.time_ms <= replication::kBankTimeMsMax &&
             ledger::ValidateBatch(batch, header.count).ok();
    }
    case static_cast<uint32_t>(storage::EntryType::kBarrier):
      return entry.payload().empty();
    default:
      return !entry.payload().empty() && entry.payload().size() <= kConfigurationBytesMax;
  }
}

absl::StatusOr<Message> FromAppendEntries(v1::AppendEntries& wire) {
  Bounds b;
  replication::AppendEntries m;
  m.version = b.Version(wire.version());
  m.term = b.SomeTerm("term", wire.term());
  m.prev_log_index = b.AnyIndex("prev_log_index", wire.prev_log_index());
  m.prev_log_term = b.AnyTerm("prev_log_term", wire.prev_log_term());
  m.leader_commit = b.AnyIndex("leader_commit", wire.leader_commit());
  b.Require("prev_log_term", wire.prev_log_term() <= wire.term());
  const auto n = static_cast<size_t>(wire.entries_size());
  b.Require("entries", n <= replication::kMessageEntriesMax &&
                           n <= replication::kLogIndexMax - m.prev_log_index.value);
  if (b.bad() != nullptr) return b.Result(std::move(m));
  m.entries.reserve(n);
  uint64_t term_min = std::max<uint64_t>(wire.prev_log_term(), 1);
  for (v1::Entry& entry : *wire.mutable_entries()) {
    b.Require("entry type", entry.type() >= 1 && entry.type() <= 3);
    b.Require("entry term", entry.term() >= term_min && entry.term() <= wire.term());
    b.Require("entry payload", IsEntry(entry));
    term_min = entry.term();
    m.entries.push_back({Term(entry.term()), static_cast<storage::EntryType>(entry.type()),
                         std::make_shared<const std::string>(std::move(*entry.mutable_payload()))});
  }
  return b.Result(std::move(m));
}

}  // namespace

v1::PeerMessage ToWire(const Message& message) {
  v1::PeerMessage wire;
  std::visit(
      Overloaded{[&](const replication::RequestVote& m) {
                   auto* w = wire.mutable_request_vote();
                   w->set_version(m.version);
                   w->set_term(m.term.value);
                   w->set_candidate(static_cast<uint32_t>(m.candidate.value));
                   w->set_last_log_index(m.last_log_index.value);
                   w->set_last_log_term(m.last_log_term.value);
                   w->set_disrupt_leader(m.disrupt_leader);
                   w->set_pre_vote(m.pre_vote);
                 },
                 [&](const replication::RequestVoteResult& m) {
                   auto* w = wire.mutable_request_vote_result();
                   w->set_version(m.version);
                   w->set_term(m.term.value);
                   w->set_vote_granted(m.vote_granted);
                   w->set_pre_vote(m.pre_vote);
                   w->set_features(m.features);
                   w->set_capacity(m.capacity);
                 },
                 [&](const replication::AppendEntries& m) {
                   auto* w = wire.mutable_append_entries();
                   w->set_version(m.version);
                   w->set_term(m.term.value);
                   w->set_prev_log_index(m.prev_log_index.value);
                   w->set_prev_log_term(m.prev_log_term.value);
                   w->set_leader_commit(m.leader_commit.value);
                   w->mutable_entries()->Reserve(static_cast<int>(m.entries.size()));
                   for (const storage::Entry& entry : m.entries) {
                     auto* e = w->add_entries();
                     e->set_term(entry.term.value);
                     e->set_type(static_cast<uint32_t>(entry.type));
                     e->set_payload(*entry.payload);
                   }
                 },
                 [&](const replication::AppendEntriesResult& m) {
                   auto* w = wire.mutable_append_entries_result();
                   w->set_life(m.life);
                   w->set_version(m.version);
                   w->set_term(m.term.value);
                   w->set_rejected(m.rejected.value);
                   w->set_last_log_index(m.last_log_index.value);
                   w->set_features(m.features);
                   w->set_capacity(m.capacity);
                 },
                 [](const replication::InstallSnapshot&) {},
                 [&](const replication::TimeoutNow& m) {
                   auto* w = wire.mutable_timeout_now();
                   w->set_version(m.version);
                   w->set_term(m.term.value);
                   w->set_last_log_index(m.last_log_index.value);
                   w->set_last_log_term(m.last_log_term.value);
                 },
                 [&](const replication::ReadProbe& m) {
                   wire.mutable_read_probe()->set_term(m.term.value);
                   wire.mutable_read_probe()->set_round(m.round);
                 },
                 [&](const replication::ReadProbeResult& m) {
                   wire.mutable_read_probe_result()->set_term(m.term.value);
                   wire.mutable_read_probe_result()->set_round(m.round);
                 },
                 [&](const replication::LostLog& m) {
                   wire.mutable_lost_log()->set_term(m.term.value);
                   wire.mutable_lost_log()->set_last_log_index(m.last_log_index.value);
                 },
                 [&](const replication::LogBehindAcknowledged& m) {
                   wire.mutable_log_behind_acknowledged()->set_term(m.term.value);
                   wire.mutable_log_behind_acknowledged()->set_acknowledged(m.acknowledged.value);
                 },
                 [&](const replication::NoMember& m) {
                   wire.mutable_no_member()->set_term(m.term.value);
                   wire.mutable_no_member()->set_configuration_index(m.configuration_index.value);
                 },
                 [&](const replication::Challenge& m) {
                   wire.mutable_challenge()->set_term(m.term.value);
                   wire.mutable_challenge()->set_nonce(m.nonce);
                 },
                 [&](const replication::ChallengeResult& m) {
                   auto* w = wire.mutable_challenge_result();
                   w->set_term(m.term.value);
                   w->set_nonce(m.nonce);
                   w->set_acknowledged(m.acknowledged.value);
                   w->set_no_member_since(m.no_member_since.value);
                   w->set_holds(m.holds);
                   w->set_lost(m.lost);
                   w->set_life(m.life);
                 }},
      message);
  return wire;
}

absl::StatusOr<Message> FromWire(BranchId from, v1::PeerMessage wire) {
  Bounds b;
  switch (wire.message_case()) {
    case v1::PeerMessage::kRequestVote: {
      const auto& w = wire.request_vote();
      b.Require("candidate", w.candidate() == from.value);
      b.Require("last_log_term", w.last_log_term() <= w.term());
      return b.Result(replication::RequestVote{
          b.Version(w.version()), b.SomeTerm("term", w.term()), from,
          b.AnyIndex("last_log_index", w.last_log_index()),
          b.AnyTerm("last_log_term", w.last_log_term()), w.disrupt_leader(), w.pre_vote()});
    }
    case v1::PeerMessage::kRequestVoteResult: {
      const auto& w = wire.request_vote_result();
      replication::RequestVoteResult m{b.Version(w.version()),
                                       b.AnyTerm("term", w.term()),
                                       w.vote_granted(),
                                       w.pre_vote(),
                                       b.To<uint16_t>("features", w.features()),
                                       b.To<uint16_t>("capacity", w.capacity())};
      return b.Result(m);
    }
    case v1::PeerMessage::kAppendEntries:
      return FromAppendEntries(*wire.mutable_append_entries());
    case v1::PeerMessage::kAppendEntriesResult: {
      const auto& w = wire.append_entries_result();
      const bool of_older_term =
          w.rejected() == replication::AppendEntriesResult::kOfOlderTerm.value;
      replication::AppendEntriesResult m{
          b.Version(w.version()),
          b.AnyTerm("term", w.term()),
          of_older_term ? LogIndex(w.rejected()) : b.AnyIndex("rejected", w.rejected()),
          b.AnyIndex("last_log_index", w.last_log_index()),
          b.To<uint16_t>("features", w.features()),
          b.To<uint16_t>("capacity", w.capacity()),
          b.To<uint64_t>("life", w.life(), replication::kNonceMax)};
      return b.Result(m);
    }
    case v1::PeerMessage::kTimeoutNow: {
      const auto& w = wire.timeout_now();
      b.Require("last_log_term", w.last_log_term() <= w.term());
      replication::TimeoutNow m{b.Version(w.version()), b.SomeTerm("term", w.term()),
                                b.AnyIndex("last_log_index", w.last_log_index()),
                                b.AnyTerm("last_log_term", w.last_log_term())};
      return b.Result(m);
    }
    case v1::PeerMessage::kReadProbe: {
      const auto& w = wire.read_probe();
      replication::ReadProbe m{b.SomeTerm("term", w.term()),
                               b.To<uint64_t>("round", w.round(), replication::kReadRoundMax)};
      return b.Result(m);
    }
    case v1::PeerMessage::kReadProbeResult: {
      const auto& w = wire.read_probe_result();
      replication::ReadProbeResult m{
          b.AnyTerm("term", w.term()),
          b.To<uint64_t>("round", w.round(), replication::kReadRoundMax)};
      return b.Result(m);
    }
    case v1::PeerMessage::kLostLog: {
      const auto& w = wire.lost_log();
      replication::LostLog m{b.SomeTerm("term", w.term()),
                             b.AnyIndex("last_log_index", w.last_log_index())};
      return b.Result(m);
    }
    case v1::PeerMessage::kLogBehindAcknowledged: {
      const auto& w = wire.log_behind_acknowledged();
      replication::LogBehindAcknowledged m{b.SomeTerm("term", w.term()),
                                           b.SomeIndex("acknowledged", w.acknowledged())};
      return b.Result(m);
    }
    case v1::PeerMessage::kNoMember: {
      const auto& w = wire.no_member();
      replication::NoMember m{b.AnyTerm("term", w.term()),
                              b.SomeIndex("configuration_index", w.configuration_index())};
      return b.Result(m);
    }
    case v1::PeerMessage::kChallenge: {
      const auto& w = wire.challenge();
      return b.Result(
          replication::Challenge{b.AnyTerm("term", w.term()), b.Nonce("nonce", w.nonce())});
    }
    case v1::PeerMessage::kChallengeResult: {
      const auto& w = wire.challenge_result();
      return b.Result(replication::ChallengeResult{
          .term = b.AnyTerm("term", w.term()),
          .nonce = b.Nonce("nonce", w.nonce()),
          .acknowledged = b.AnyIndex("acknowledged", w.acknowledged()),
          .no_member_since = b.AnyIndex("no_member_since", w.no_member_since()),
          .holds = w.holds(),
          .lost = w.lost(),
          .life = b.Nonce("life", w.life())});
    }
    case v1::PeerMessage::kIntroduction:
    case v1::PeerMessage::kHello:
    case v1::PeerMessage::MESSAGE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("bad field in a branch's message: message");
}

v1::SnapshotHead ToWire(const replication::InstallSnapshot& message) {
  const storage::Snapshot& snapshot = message.snapshot;
  v1::SnapshotHead head;
  head.set_version(message.version);
  head.set_term(message.term.value);
  head.set_last_index(snapshot.index.value);
  head.set_last_term(snapshot.term.value);
  head.set_configuration_index(snapshot.configuration_index.value);
  head.set_configuration(snapshot.configuration);
  head.set_size_bytes(snapshot.state->size());
  head.set_crc32c(Crc32c(*snapshot.state));
  return head;
}

absl::StatusOr<Message> FromWire(v1::SnapshotHead head, std::string state) {
  Bounds b;
  replication::InstallSnapshot m;
  m.version = b.Version(head.version());
  m.term = b.SomeTerm("term", head.term());
  m.snapshot.index = b.SomeIndex("last_index", head.last_index());
  m.snapshot.term = b.SomeTerm("last_term", head.last_term());
  m.snapshot.configuration_index = b.SomeIndex("configuration_index", head.configuration_index());
  b.Require("last_term", head.last_term() <= head.term());
  b.Require("configuration_index", head.configuration_index() <= head.last_index());
  b.Require("configuration",
            !head.configuration().empty() && head.configuration().size() <= kConfigurationBytesMax);
  b.Require("size_bytes", head.size_bytes() == state.size());
  b.Require("crc32c", head.crc32c() == Crc32c(state));
  m.snapshot.configuration = std::move(*head.mutable_configuration());
  m.snapshot.state = std::make_shared<const std::string>(std::move(state));
  return b.Result(std::move(m));
}

v1::ForwardRequest ToWire(replication::ForwardRequest request) {
  v1::ForwardRequest wire;
  wire.set_batch(std::move(request.batch));
  wire.set_count(request.count);
  wire.set_read_index(request.read_index);
  wire.set_timeout_ms(request.timeout_ms);
  return wire;
}

absl::StatusOr<replication::ForwardRequest> FromWire(v1::ForwardRequest wire) {
  // A command has at least one byte.
  if (wire.count() > wire.batch().size() || (wire.count() == 0) != wire.batch().empty()) {
    return absl::InvalidArgumentError("bad field in a forwarded request: count");
  }
  if (wire.count() == 0 && !wire.read_index()) {
    return absl::InvalidArgumentError("bad field in a forwarded request: nothing is asked");
  }
  if (wire.batch().size() > kForwardedBytesMax) {
    return absl::InvalidArgumentError("bad field in a forwarded request: batch");
  }
  if (wire.timeout_ms() <= 0 || wire.timeout_ms() > kForwardTimeoutMsMax) {
    return absl::InvalidArgumentError("bad field in a forwarded request: timeout_ms");
  }
  replication::ForwardRequest request;
  request.batch = std::move(*wire.mutable_batch());
  request.count = wire.count();
  request.read_index = wire.read_index();
  request.timeout_ms = wire.timeout_ms();
  return request;
}

v1::ForwardReply ToWire(const replication::ForwardResult& result) {
  v1::ForwardReply wire;
  switch (result.fate) {
    case replication::Fate::kApplied:
      wire.set_fate(v1::ForwardReply::APPLIED);
      break;
    case replication::Fate::kNotApplied:
      wire.set_fate(v1::ForwardReply::NOT_APPLIED);
      break;
    case replication::Fate::kUnknown:
      wire.set_fate(v1::ForwardReply::UNKNOWN);
      break;
  }
  for (const ledger::Outcome& outcome : result.outcomes) {
    ledger::AppendOutcome(outcome, wire.mutable_outcomes());
  }
  wire.set_reason(result.reason);
  wire.set_read_index(result.read_index.value);
  wire.set_leader(static_cast<uint32_t>(result.leader.value));
  return wire;
}

absl::StatusOr<replication::ForwardResult> FromWire(v1::ForwardReply wire, uint64_t count) {
  replication::ForwardResult result;
  switch (wire.fate()) {
    case v1::ForwardReply::APPLIED:
      result.fate = replication::Fate::kApplied;
      if (!ledger::DecodeOutcomes(wire.outcomes(), count, &result.outcomes)) {
        return absl::InvalidArgumentError("bad field in a leader's reply: outcomes");
      }
      break;
    case v1::ForwardReply::NOT_APPLIED:
      result.fate = replication::Fate::kNotApplied;
      break;
    case v1::ForwardReply::UNKNOWN:
      result.fate = replication::Fate::kUnknown;
      break;
    default:
      return absl::InvalidArgumentError("bad field in a leader's reply: fate");
  }
  if (wire.reason().size() > kReasonBytesMax) {
    return absl::InvalidArgumentError("bad field in a leader's reply: reason");
  }
  if (wire.read_index() > replication::kLogIndexMax) {
    return absl::InvalidArgumentError("bad field in a leader's reply: read_index");
  }
  result.reason = std::move(*wire.mutable_reason());
  result.read_index = LogIndex(wire.read_index());
  result.leader = BranchId(wire.leader());
  return result;
}

}  // namespace bank::peers
