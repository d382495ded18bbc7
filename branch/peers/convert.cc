#include "branch/peers/convert.h"

#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "common/crc32c.h"

namespace bank::peers {
namespace {

using replication::Message;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

// Narrows fields and remembers the first one that does not fit.
class Narrow {
 public:
  template <class T>
  T To(const char* field, uint64_t value) {
    if (value > std::numeric_limits<T>::max() && bad_ == nullptr) bad_ = field;
    return static_cast<T>(value);
  }
  uint8_t Version(uint64_t value) { return To<uint8_t>("version", value); }
  void Require(const char* field, bool good) {
    if (!good && bad_ == nullptr) bad_ = field;
  }
  absl::StatusOr<Message> Result(Message message) const {
    if (bad_ != nullptr) {
      return absl::InvalidArgumentError(std::string("bad field in a branch's message: ") + bad_);
    }
    return message;
  }

 private:
  const char* bad_ = nullptr;
};

absl::StatusOr<Message> FromAppendEntries(v1::AppendEntries& wire) {
  Narrow n;
  replication::AppendEntries m;
  m.version = n.Version(wire.version());
  m.term = Term(wire.term());
  m.prev_log_index = LogIndex(wire.prev_log_index());
  m.prev_log_term = Term(wire.prev_log_term());
  m.leader_commit = LogIndex(wire.leader_commit());
  n.Require("prev_log_index", wire.prev_log_index() < std::numeric_limits<uint64_t>::max() / 2);
  m.entries.reserve(static_cast<size_t>(wire.entries_size()));
  for (v1::Entry& entry : *wire.mutable_entries()) {
    n.Require("entry type", entry.type() >= 1 && entry.type() <= 3);
    n.Require("entry term", entry.term() >= 1 && entry.term() <= wire.term());
    m.entries.push_back({Term(entry.term()), static_cast<storage::EntryType>(entry.type()),
                         std::make_shared<const std::string>(std::move(*entry.mutable_payload()))});
  }
  return n.Result(std::move(m));
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
                 [&](const replication::Introduction& m) {
                   wire.mutable_introduction()->set_term(m.term.value);
                   wire.mutable_introduction()->set_holds(m.holds);
                   wire.mutable_introduction()->set_lost(m.lost);
                   wire.mutable_introduction()->set_asks(m.asks);
                 },
                 [&](const replication::NoMember& m) {
                   wire.mutable_no_member()->set_term(m.term.value);
                   wire.mutable_no_member()->set_configuration_index(m.configuration_index.value);
                 }},
      message);
  return wire;
}

absl::StatusOr<Message> FromWire(BranchId from, v1::PeerMessage wire) {
  Narrow n;
  switch (wire.message_case()) {
    case v1::PeerMessage::kRequestVote: {
      const auto& w = wire.request_vote();
      n.Require("candidate", w.candidate() == from.value);
      return n.Result(replication::RequestVote{
          n.Version(w.version()), Term(w.term()), from, LogIndex(w.last_log_index()),
          Term(w.last_log_term()), w.disrupt_leader(), w.pre_vote()});
    }
    case v1::PeerMessage::kRequestVoteResult: {
      const auto& w = wire.request_vote_result();
      replication::RequestVoteResult m{n.Version(w.version()),
                                       Term(w.term()),
                                       w.vote_granted(),
                                       w.pre_vote(),
                                       n.To<uint16_t>("features", w.features()),
                                       n.To<uint16_t>("capacity", w.capacity())};
      return n.Result(m);
    }
    case v1::PeerMessage::kAppendEntries:
      return FromAppendEntries(*wire.mutable_append_entries());
    case v1::PeerMessage::kAppendEntriesResult: {
      const auto& w = wire.append_entries_result();
      replication::AppendEntriesResult m{n.Version(w.version()),
                                         Term(w.term()),
                                         LogIndex(w.rejected()),
                                         LogIndex(w.last_log_index()),
                                         n.To<uint16_t>("features", w.features()),
                                         n.To<uint16_t>("capacity", w.capacity())};
      return n.Result(m);
    }
    case v1::PeerMessage::kTimeoutNow: {
      const auto& w = wire.timeout_now();
      replication::TimeoutNow m{n.Version(w.version()), Term(w.term()),
                                LogIndex(w.last_log_index()), Term(w.last_log_term())};
      return n.Result(m);
    }
    case v1::PeerMessage::kReadProbe:
      return replication::ReadProbe{Term(wire.read_probe().term()), wire.read_probe().round()};
    case v1::PeerMessage::kReadProbeResult:
      return replication::ReadProbeResult{Term(wire.read_probe_result().term()),
                                          wire.read_probe_result().round()};
    case v1::PeerMessage::kLostLog:
      return replication::LostLog{Term(wire.lost_log().term()),
                                  LogIndex(wire.lost_log().last_log_index())};
    case v1::PeerMessage::kLogBehindAcknowledged:
      return replication::LogBehindAcknowledged{
          Term(wire.log_behind_acknowledged().term()),
          LogIndex(wire.log_behind_acknowledged().acknowledged())};
    case v1::PeerMessage::kIntroduction:
      return replication::Introduction{.term = Term(wire.introduction().term()),
                                       .holds = wire.introduction().holds(),
                                       .lost = wire.introduction().lost(),
                                       .asks = wire.introduction().asks()};
    case v1::PeerMessage::kNoMember:
      return replication::NoMember{Term(wire.no_member().term()),
                                   LogIndex(wire.no_member().configuration_index())};
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
  Narrow n;
  n.Require("last_index", head.last_index() >= 1);
  n.Require("last_term", head.last_term() >= 1 && head.last_term() <= head.term());
  n.Require("configuration_index",
            head.configuration_index() >= 1 && head.configuration_index() <= head.last_index());
  n.Require("configuration", !head.configuration().empty());
  n.Require("size_bytes", head.size_bytes() == state.size());
  n.Require("crc32c", head.crc32c() == Crc32c(state));
  replication::InstallSnapshot m;
  m.version = n.Version(head.version());
  m.term = Term(head.term());
  m.snapshot.index = LogIndex(head.last_index());
  m.snapshot.term = Term(head.last_term());
  m.snapshot.configuration_index = LogIndex(head.configuration_index());
  m.snapshot.configuration = std::move(*head.mutable_configuration());
  m.snapshot.state = std::make_shared<const std::string>(std::move(state));
  return n.Result(std::move(m));
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
  if (wire.timeout_ms() <= 0) {
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
  result.reason = std::move(*wire.mutable_reason());
  result.read_index = LogIndex(wire.read_index());
  result.leader = BranchId(wire.leader());
  return result;
}

}  // namespace bank::peers
