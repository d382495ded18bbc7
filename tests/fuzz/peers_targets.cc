#include "branch/ledger/command.h"
#include "branch/ledger/ledger.h"
#include "branch/peers/convert.h"
#include "branch/peers/hello.h"
#include "common/check.h"
#include "common/crc32c.h"
#include "tests/fuzz/target.h"

namespace bank::fuzz {
namespace {

using namespace replication;

constexpr BranchId kSender{2};

// False if `bytes` are no message. Fields this version does not know are dropped.
template <class Wire>
bool Parse(std::string_view bytes, Wire* wire) {
  if (!wire->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return false;
  wire->DiscardUnknownFields();
  return true;
}

template <class Wire>
void CheckSame(const Wire& one, const Wire& other) {
  BANK_CHECK(one.SerializeAsString() == other.SerializeAsString()) << one.ShortDebugString() << "\n"
                                                                   << other.ShortDebugString();
}

// Whatever is in an entry is applied one day, by every branch.
void CheckEntries(const AppendEntries& append) {
  for (const storage::Entry& entry : append.entries) {
    if (entry.type != storage::EntryType::kCommand) continue;
    std::vector<ledger::Outcome> outcomes;
    const absl::Status applied = ledger::Ledger().Apply(*entry.payload, &outcomes);
    BANK_CHECK(applied.ok()) << applied.message();
  }
}

// A message that is taken says all that was sent.
void RunMessage(std::string_view bytes) {
  v1::PeerMessage wire;
  if (!Parse(bytes, &wire)) return;
  if (wire.has_hello()) {
    const absl::Status hello = peers::CheckHello(wire.hello(), 7, BranchId(1));
    if (!hello.ok()) CheckRefusal(hello);
    BANK_CHECK(!peers::FromWire(kSender, wire).ok()) << "a hello is no message";
    return;
  }
  const absl::StatusOr<Message> message = peers::FromWire(kSender, wire);
  if (!message.ok()) return CheckRefusal(message.status());
  CheckSame(peers::ToWire(*message), wire);
  if (const auto* append = std::get_if<AppendEntries>(&*message)) CheckEntries(*append);
}

// The first byte's bits set size and checksum right, or no mutation would get past them; the
// second says how many bytes of state follow.
void RunSnapshotHead(std::string_view bytes) {
  if (bytes.size() < 2) return;
  const auto right = static_cast<uint8_t>(bytes[0]);
  const size_t state_bytes = std::min<size_t>(static_cast<uint8_t>(bytes[1]), bytes.size() - 2);
  const std::string state(bytes.substr(2, state_bytes));
  v1::SnapshotHead head;
  if (!Parse(bytes.substr(2 + state_bytes), &head)) return;
  head.clear_hello();
  if ((right & 1) != 0) head.set_size_bytes(state.size());
  if ((right & 2) != 0) head.set_crc32c(Crc32c(state));
  const absl::StatusOr<Message> message = peers::FromWire(head, state);
  if (!message.ok()) return CheckRefusal(message.status());
  const auto& install = std::get<InstallSnapshot>(*message);
  BANK_CHECK(*install.snapshot.state == state);
  CheckSame(peers::ToWire(install), head);
}

// What the leader takes from a follower: the request, and then each command of its batch.
void RunForwardRequest(std::string_view bytes) {
  v1::ForwardRequest wire;
  if (!Parse(bytes, &wire)) return;
  const absl::StatusOr<ForwardRequest> request = peers::FromWire(wire);
  if (!request.ok()) return CheckRefusal(request.status());
  wire.clear_id();  // these two are the stream's own
  wire.clear_hello();
  CheckSame(peers::ToWire(*request), wire);
  const absl::Status valid = ledger::ValidateBatch(request->batch, request->count);
  if (!valid.ok()) return CheckRefusal(valid);
  std::string again;
  ledger::CommandReader reader(request->batch);
  uint64_t count = 0;
  for (ledger::Command command; reader.Next(&command); ++count) {
    ledger::AppendCommand(command, &again);
  }
  BANK_CHECK(count == request->count) << count << " of " << request->count;
  BANK_CHECK(again == request->batch) << "two encodings of one batch";
}

// The first byte: how many commands were asked about.
void RunForwardReply(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto count = static_cast<uint8_t>(bytes[0]);
  v1::ForwardReply wire;
  if (!Parse(bytes.substr(1), &wire)) return;
  const absl::StatusOr<ForwardResult> result = peers::FromWire(wire, count);
  if (!result.ok()) return CheckRefusal(result.status());
  BANK_CHECK(result->outcomes.size() == (result->fate == Fate::kApplied ? count : 0));
  wire.clear_id();
  if (result->fate != Fate::kApplied) wire.clear_outcomes();
  CheckSame(peers::ToWire(*result), wire);
}

storage::Entry MakeEntry(uint64_t term, storage::EntryType type, std::string payload) {
  return {Term(term), type, std::make_shared<const std::string>(std::move(payload))};
}

std::string MakeCommands() {
  std::string batch;
  ledger::AppendCommand({.kind = ledger::Kind::kQuery, .account = "alice"}, &batch);
  return ledger::EncodeEntry({5, 1}, batch);
}

std::vector<std::string> MessageSeeds() {
  AppendEntries append{1, Term(9), LogIndex(300), Term(8), LogIndex(299), {}};
  append.entries = {MakeEntry(8, storage::EntryType::kBarrier, ""),
                    MakeEntry(9, storage::EntryType::kCommand, MakeCommands()),
                    MakeEntry(9, storage::EntryType::kChange, "membership")};
  const std::vector<Message> messages = {
      RequestVote{2, Term(9), kSender, LogIndex(300), Term(8), true, true},
      RequestVoteResult{2, Term(9), true, false, 1, 200},
      append,
      AppendEntriesResult{1, Term(9), LogIndex(17), LogIndex(300), 1, 200, 60'000},
      TimeoutNow{1, Term(9), LogIndex(300), Term(8)},
      ReadProbe{Term(9), 70'000},
      ReadProbeResult{Term(9), 70'000},
      LostLog{Term(9), LogIndex(3)},
      LogBehindAcknowledged{Term(9), LogIndex(300)},
      NoMember{Term(9), LogIndex(300)},
      Challenge{Term(9), 70'000},
      ChallengeResult{Term(9), 70'000, LogIndex(300), LogIndex(17), true, true, 60'000}};
  std::vector<std::string> seeds;
  for (const Message& message : messages) {
    seeds.push_back(peers::ToWire(message).SerializeAsString());
  }
  v1::PeerMessage hello;
  *hello.mutable_hello() = peers::MakeHello(7, kSender, BranchId(1), uint64_t{5} << 32);
  seeds.push_back(hello.SerializeAsString());
  return seeds;
}

std::vector<std::string> SnapshotHeadSeeds() {
  InstallSnapshot install{1, Term(9), {}};
  install.snapshot = {LogIndex(300), Term(8), LogIndex(1), "membership",
                      std::make_shared<const std::string>("state")};
  return {"\x03\x05state" + peers::ToWire(install).SerializeAsString()};
}

std::vector<std::string> ForwardRequestSeeds() {
  std::string batch;
  ledger::AppendCommand({.kind = ledger::Kind::kDeposit,
                         .session = SessionId(3),
                         .sequence = 7,
                         .answered_below = 6,
                         .account = "shared",
                         .amount = 170},
                        &batch);
  ledger::AppendCommand({.kind = ledger::Kind::kQuery, .account = "alice"}, &batch);
  std::vector<std::string> seeds;
  for (ForwardRequest request :
       {ForwardRequest{batch, 2, false, 500}, ForwardRequest{"", 0, true, 500}}) {
    v1::ForwardRequest wire = peers::ToWire(std::move(request));
    wire.set_id(44);
    seeds.push_back(wire.SerializeAsString());
  }
  return seeds;
}

std::vector<std::string> ForwardReplySeeds() {
  const ForwardResult applied{Fate::kApplied,
                              {{ledger::Code::kOk, false, Position(300), 400},
                               {ledger::Code::kInsufficientFunds, true, Position(301), 0}},
                              "",
                              LogIndex(12),
                              {}};
  const ForwardResult refused{Fate::kNotApplied, {}, "not the leader", {}, BranchId(3)};
  return {"\x02" + peers::ToWire(applied).SerializeAsString(),
          "\x02" + peers::ToWire(refused).SerializeAsString()};
}

constexpr FuzzTarget kTargets[] = {
    {"peers_message", RunMessage, MessageSeeds},
    {"peers_snapshot_head", RunSnapshotHead, SnapshotHeadSeeds},
    {"peers_forward_request", RunForwardRequest, ForwardRequestSeeds},
    {"peers_forward_reply", RunForwardReply, ForwardReplySeeds}};

}  // namespace

std::span<const FuzzTarget> PeersTargets() { return kTargets; }

}  // namespace bank::fuzz
