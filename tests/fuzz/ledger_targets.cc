#include "branch/ledger/ledger.h"
#include "common/bytes.h"
#include "common/check.h"
#include "common/crc32c.h"
#include "tests/fuzz/target.h"

namespace bank::fuzz {
namespace {

using namespace ledger;

std::string WithChecksum(std::string_view body) {
  std::string bytes(body);
  ByteWriter(&bytes).U32(Crc32c(body));
  return bytes;
}

// Accepted bytes are the one snapshot of the ledger they give, and that ledger works.
void RunSnapshot(std::string_view body) {
  // The checksum is set right, or no mutation would get past it.
  const std::string bytes = WithChecksum(body);
  absl::StatusOr<Ledger> ledger = Ledger::DecodeSnapshot(bytes);
  if (!ledger.ok()) return CheckRefusal(ledger.status());
  BANK_CHECK(ledger->Freeze().Encode() == bytes) << "two encodings of one ledger";
  std::string batch;
  AppendCommand({.kind = Kind::kOpenSession}, &batch);
  std::vector<Outcome> outcomes;
  BANK_CHECK(ledger->Apply(EncodeEntry({0, 1}, batch), &outcomes).ok()) << "it does not go on";
  BANK_CHECK(ledger->Freeze().CheckConservation().ok()) << "money is not conserved";
}

// A malformed entry applies nothing; any other is applied whole and conserves money.
void RunEntry(std::string_view payload) {
  Ledger ledger;
  std::vector<Outcome> outcomes;
  std::string batch;
  AppendCommand({.kind = Kind::kOpen, .account = kSharedAccount, .amount = 400}, &batch);
  AppendCommand({.kind = Kind::kOpenSession}, &batch);
  BANK_CHECK(ledger.Apply(EncodeEntry({0, 2}, batch), &outcomes).ok()) << "founding";
  const Summary before = ledger.summary();
  outcomes.clear();
  const absl::Status applied = ledger.Apply(payload, &outcomes);
  BANK_CHECK(ledger.Freeze().CheckConservation().ok()) << "money is not conserved";
  EntryHeader header;
  std::string_view rows;
  if (!applied.ok()) {
    CheckRefusal(applied);
    BANK_CHECK(outcomes.empty()) << outcomes.size();
    BANK_CHECK(ledger.summary().history_digest == before.history_digest) << "applied in part";
    return;
  }
  BANK_CHECK(DecodeEntry(payload, &header, &rows).ok()) << "applied, but not decoded";
  BANK_CHECK(outcomes.size() == header.count) << outcomes.size() << " of " << header.count;
  // One value, one encoding: what was read is written the same.
  std::string again;
  CommandReader reader(rows);
  Command command;
  while (reader.Next(&command)) AppendCommand(command, &again);
  BANK_CHECK(EncodeEntry(header, again) == payload) << "two encodings of one entry";
}

// The first byte is the count.
void RunOutcomes(std::string_view bytes) {
  if (bytes.empty()) return;
  std::vector<Outcome> outcomes;
  if (!DecodeOutcomes(bytes.substr(1), static_cast<uint8_t>(bytes[0]), &outcomes)) return;
  std::string again(1, bytes[0]);
  for (const Outcome& outcome : outcomes) AppendOutcome(outcome, &again);
  BANK_CHECK(again == bytes) << "two encodings of the same outcomes";
}

std::string BatchOfEveryKind() {
  std::string batch;
  for (uint8_t kind = 0; kind <= 8; ++kind) {
    Command command{.kind = static_cast<Kind>(kind), .account = "shared", .amount = kind};
    command.session = SessionId(2);
    command.sequence = kind + 1;
    command.answered_below = 1;
    if (command.kind == Kind::kTransfer) command.to = "alice";
    AppendCommand(command, &batch);
  }
  return batch;
}

std::vector<std::string> EntrySeeds() { return {EncodeEntry({1'000, 9}, BatchOfEveryKind())}; }

std::vector<std::string> SnapshotSeeds() {
  Ledger ledger;
  std::vector<std::string> seeds = {ledger.Freeze().Encode()};
  std::string batch;
  AppendCommand({.kind = Kind::kOpen, .account = kSharedAccount, .amount = 400}, &batch);
  AppendCommand({.kind = Kind::kOpenSession}, &batch);
  std::vector<Outcome> outcomes;
  BANK_CHECK(ledger.Apply(EncodeEntry({0, 11}, batch + BatchOfEveryKind()), &outcomes).ok());
  seeds.push_back(ledger.Freeze().Encode());
  for (std::string& seed : seeds) seed.resize(seed.size() - 4);  // the target adds the checksum
  return seeds;
}

std::vector<std::string> OutcomeSeeds() {
  std::string bytes("\x02");
  AppendOutcome({Code::kOk, false, Position(300), 400}, &bytes);
  AppendOutcome({Code::kInsufficientFunds, true, Position(301), 0}, &bytes);
  return {bytes};
}

constexpr FuzzTarget kTargets[] = {{"ledger_entry", RunEntry, EntrySeeds},
                                   {"ledger_outcomes", RunOutcomes, OutcomeSeeds},
                                   {"ledger_snapshot", RunSnapshot, SnapshotSeeds}};

}  // namespace

std::span<const FuzzTarget> LedgerTargets() { return kTargets; }

}  // namespace bank::fuzz
