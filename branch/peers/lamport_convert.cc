#include "branch/peers/lamport_convert.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "branch/ledger/command.h"

namespace bank::peers {
namespace {

namespace lamport = replication::lamport;

// No branch counts that far in its life; sums of two still fit.
constexpr uint64_t kCountMax = uint64_t{1} << 62;
constexpr int64_t kEntryTimeMsMax = int64_t{1} << 48;

// Remembers the first field that is out of its range.
class Fields {
 public:
  uint64_t Count(const char* field, uint64_t value) {
    Require(field, value <= kCountMax);
    return value;
  }
  lamport::Stamp Stamp(const char* field, const v1::Stamp& wire) {
    return {Count(field, wire.clock()), Count(field, wire.minor()), BranchId(wire.branch())};
  }
  lamport::Write Write(v1::Propagation wire) {
    ledger::EntryHeader header;
    std::string_view batch;
    Require("entry", ledger::DecodeEntry(wire.entry(), &header, &batch).ok() &&
                         ledger::ValidateBatch(batch, header.count).ok() && header.time_ms >= 0 &&
                         header.time_ms <= kEntryTimeMsMax);
    return {.sequence = Count("sequence", wire.sequence()),
            .stamp = Stamp("stamp", wire.stamp()),
            .entry = std::move(*wire.mutable_entry()),
            .sent_clock = Count("sent_clock", wire.sent_clock())};
  }
  void Require(const char* field, bool good) {
    if (!good && bad_ == nullptr) bad_ = field;
  }
  absl::Status status() const {
    if (bad_ == nullptr) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("bad field in a branch's message: ", bad_));
  }

 private:
  const char* bad_ = nullptr;
};

void Fill(const lamport::Stamp& stamp, v1::Stamp* wire) {
  wire->set_clock(stamp.clock);
  wire->set_minor(stamp.minor);
  wire->set_branch(static_cast<uint32_t>(stamp.branch.value));
}

void Fill(BranchId origin, lamport::Write write, v1::Propagation* wire) {
  wire->set_sequence(write.sequence);
  Fill(write.stamp, wire->mutable_stamp());
  wire->set_entry(std::move(write.entry));
  wire->set_sent_clock(write.sent_clock);
  wire->set_origin(static_cast<uint32_t>(origin.value));
}

void Fill(lamport::State state, v1::LamportState* wire) {
  wire->set_applied(state.applied.value);
  wire->set_ledger(std::move(state.ledger));
  for (const auto& [branch, writes] : state.delivered) {
    v1::LamportState::Count* count = wire->add_delivered();
    count->set_branch(static_cast<uint32_t>(branch.value));
    count->set_writes(writes);
  }
  for (auto& [origin, write] : state.pending) Fill(origin, std::move(write), wire->add_pending());
  for (const lamport::Applied& applied : state.tail) {
    v1::LamportState::Applied* one = wire->add_tail();
    one->set_index(applied.index.value);
    one->set_branch(static_cast<uint32_t>(applied.origin.value));
    one->set_sequence(applied.sequence);
  }
  Fill(state.highest, wire->mutable_highest());
}

lamport::State StateFrom(Fields& fields, v1::LamportState wire) {
  lamport::State state;
  state.applied = LogIndex(fields.Count("applied", wire.applied()));
  state.ledger = std::move(*wire.mutable_ledger());
  for (const auto& count : wire.delivered()) {
    state.delivered.emplace_back(BranchId(count.branch()),
                                 fields.Count("delivered", count.writes()));
  }
  for (auto& pending : *wire.mutable_pending()) {
    const BranchId origin(pending.origin());
    state.pending.emplace_back(origin, fields.Write(std::move(pending)));
  }
  for (const auto& one : wire.tail()) {
    state.tail.push_back({LogIndex(fields.Count("tail", one.index())), BranchId(one.branch()),
                          fields.Count("tail", one.sequence())});
  }
  state.highest = fields.Stamp("highest", wire.highest());
  return state;
}

std::string InterfaceOf(ledger::Kind kind) {
  switch (kind) {
    case ledger::Kind::kWithdraw:
      return "withdraw";
    case ledger::Kind::kTransfer:
      return "transfer";
    default:
      return "deposit";
  }
}

}  // namespace

v1::LamportRequest ToWire(lamport::Request request) {
  v1::LamportRequest wire;
  wire.set_incarnation(request.incarnation);
  wire.set_join(request.join);
  for (const lamport::Process& process : request.processes) {
    v1::LamportRequest::Process* one = wire.add_processes();
    one->set_branch(static_cast<uint32_t>(process.branch.value));
    one->set_incarnation(process.incarnation);
  }
  for (lamport::Write& write : request.writes) {
    Fill(request.from, std::move(write), wire.add_writes());
  }
  for (const lamport::Decision& decision : request.decisions) {
    v1::Decision* one = wire.add_decisions();
    one->set_sequence(decision.sequence);
    one->set_index(decision.index.value);
    one->set_sent_clock(decision.sent_clock);
  }
  Fill(request.clear, wire.mutable_clear());
  wire.set_applied(request.applied.value);
  return wire;
}

v1::LamportReply ToWire(lamport::Reply reply) {
  v1::LamportReply wire;
  wire.set_result(static_cast<v1::LamportReply::Result>(reply.result));
  wire.set_incarnation(reply.incarnation);
  wire.set_newest(reply.newest);
  wire.set_received(reply.received);
  wire.set_decided(reply.decided);
  Fill(reply.last_own, wire.mutable_last_own());
  wire.set_applied(reply.applied.value);
  wire.set_joined(reply.joined);
  wire.set_holds(reply.holds);
  if (reply.joined) Fill(std::move(reply.state), wire.mutable_state());
  return wire;
}

v1::ClockEvent ToWire(const lamport::ClockEvent& event) {
  v1::ClockEvent wire;
  wire.set_number(event.number);
  wire.set_clock(event.clock);
  wire.set_what(static_cast<v1::ClockEvent::What>(event.what));
  wire.set_partner(static_cast<uint32_t>(event.partner.value));
  wire.set_interface(InterfaceOf(event.kind));
  wire.set_session(event.session.value);
  wire.set_sequence(event.sequence);
  return wire;
}

absl::StatusOr<lamport::Request> FromWire(v1::LamportRequest wire) {
  Fields fields;
  lamport::Request request;
  request.from = BranchId(wire.hello().branch());
  request.incarnation = fields.Count("incarnation", wire.incarnation());
  request.join = wire.join();
  for (const auto& process : wire.processes()) {
    request.processes.push_back(
        {BranchId(process.branch()), fields.Count("processes", process.incarnation())});
  }
  for (auto& write : *wire.mutable_writes()) {
    request.writes.push_back(fields.Write(std::move(write)));
  }
  for (const auto& decision : wire.decisions()) {
    request.decisions.push_back({fields.Count("sequence", decision.sequence()),
                                 LogIndex(fields.Count("index", decision.index())),
                                 fields.Count("sent_clock", decision.sent_clock())});
  }
  request.clear = fields.Stamp("clear", wire.clear());
  request.applied = LogIndex(fields.Count("applied", wire.applied()));
  if (!fields.status().ok()) return fields.status();
  return request;
}

absl::StatusOr<lamport::Reply> FromWire(v1::LamportReply wire) {
  Fields fields;
  lamport::Reply reply;
  fields.Require("result", v1::LamportReply::Result_IsValid(wire.result()));
  reply.result = static_cast<lamport::Reply::Result>(wire.result());
  reply.incarnation = fields.Count("incarnation", wire.incarnation());
  reply.newest = fields.Count("newest", wire.newest());
  reply.received = fields.Count("received", wire.received());
  reply.decided = fields.Count("decided", wire.decided());
  reply.last_own = fields.Stamp("last_own", wire.last_own());
  reply.applied = LogIndex(fields.Count("applied", wire.applied()));
  reply.joined = wire.joined();
  reply.holds = wire.holds();
  if (reply.joined) reply.state = StateFrom(fields, std::move(*wire.mutable_state()));
  if (!fields.status().ok()) return fields.status();
  return reply;
}

}  // namespace bank::peers
