// The ledger's state as bytes and back; the table is in docs/FORMATS.md.
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "branch/ledger/state.h"
#include "common/bytes.h"
#include "common/check.h"
#include "common/crc32c.h"
#include "common/planted.h"

namespace bank::ledger {
namespace {

constexpr std::string_view kMagic = "BANKLEDG";
constexpr uint32_t kVersion = 3;
constexpr uint32_t kVersionWithoutOwners = 2;
constexpr size_t kChecksumBytes = 4;

void WriteWide(ByteWriter* writer, absl::uint128 v) {
  writer->U64(absl::Uint128Low64(v));
  writer->U64(absl::Uint128High64(v));
}

absl::uint128 ReadWide(ByteReader* reader) {
  const uint64_t low = reader->U64();
  return absl::MakeUint128(reader->U64(), low);
}

// An amount >= 0; anything else fails the reader's caller through `good`.
int64_t ReadBalance(ByteReader* reader, bool* good) {
  const uint64_t v = reader->Varint();
  *good = *good && v <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  return static_cast<int64_t>(v);
}

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(
      absl::StrCat("ledger snapshot: ", absl::string_view(what.data(), what.size())));
}

// The outcomes a session may remember.
bool IsRemembered(Code code) {
  switch (code) {
    case Code::kUnknownSession:
    case Code::kKeyReused:
    case Code::kForgotten:
    case Code::kWindowFull:
    case Code::kTooManySessions:
      return false;
    default:
      return code <= kCodeLast;
  }
}

bool ReadAccounts(ByteReader* reader, uint64_t accounts_max, Accounts* accounts) {
  const uint64_t count = reader->Varint();
  // Each takes 3 bytes or more: a forged count is found out before anything is allocated for it.
  if (!reader->ok() || count > accounts_max || count > reader->rest().size() / 3) return false;
  accounts->Reserve(count);
  std::string_view last;
  bool good = true;
  for (uint64_t i = 0; i < count; ++i) {
    const std::string_view name = reader->String();
    const int64_t balance = ReadBalance(reader, &good);
    if (!reader->ok() || !good || name.size() > kAccountNameBytesMax || name <= last ||
        balance > std::numeric_limits<int64_t>::max() - accounts->total()) {
      return false;
    }
    accounts->Restore(name, balance);
    last = name;
  }
  return true;
}

bool ReadRemembered(ByteReader* reader, const Limits& limits, Position position, Sessions* sessions,
                    Session* session) {
  const uint64_t count = reader->Varint();
  uint64_t offset_next = 0;
  bool good = true;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t gap = reader->Varint();
    Remembered record;
    record.code = static_cast<Code>(reader->U8());
    record.fingerprint = reader->U64();
    record.position = Position(reader->Varint());
    record.balance = ReadBalance(reader, &good);
    if (!reader->ok() || !good || !IsRemembered(record.code) || record.position == Position{} ||
        record.position > position || gap >= limits.session_window_max) {
      return false;
    }
    const uint64_t offset = offset_next + gap;
    const uint64_t sequence = session->window.floor() + offset;
    if (offset >= limits.session_window_max || sequence < offset) return false;
    sessions->Remember(session, sequence, record);
    offset_next = offset + 1;
  }
  return reader->ok();
}

bool ReadSessions(ByteReader* reader, const Limits& limits, Position position, int64_t time_ms,
                  bool owners, Sessions* sessions) {
  const uint64_t count = reader->Varint();
  if (!reader->ok() || count > limits.sessions_max) return false;
  int64_t last_use_ms = 0;
  bool good = true;
  for (uint64_t i = 0; i < count; ++i) {
    const SessionId id(reader->Varint());
    const SessionOwner owner(owners ? reader->Varint() : 0);
    const uint64_t floor = reader->Varint();
    const int64_t used_ms = ReadBalance(reader, &good);
    if (!reader->ok() || !good || id == SessionId{} || floor == 0 || used_ms < last_use_ms ||
        used_ms > time_ms || sessions->Has(id)) {
      return false;
    }
    last_use_ms = used_ms;
    sessions->Open(id, owner, used_ms);
    Session* session = sessions->Use(id, used_ms, floor);
    if (!ReadRemembered(reader, limits, position, sessions, session)) return false;
  }
  return true;
}

}  // namespace

std::string FrozenLedger::Encode() const {
  const absl::Status conserved = CheckConservation();
  BANK_CHECK(conserved.ok()) << conserved.message();

  const State& state = *state_;
  const Summary& summary = state.summary;
  std::string bytes;
  bytes.reserve(256 + state.accounts.size() * 24 + state.sessions.size() * 32 +
                state.remembered * 20);
  ByteWriter writer(&bytes);
  writer.Raw(kMagic);
  writer.U32(kVersion);
  writer.U64(state.limits.accounts_max);
  writer.U64(state.limits.sessions_max);
  writer.U64(state.limits.session_window_max);
  writer.U64(static_cast<uint64_t>(state.limits.session_idle_ms_max));
  writer.U64(state.limits.remembered_max);
  writer.U64(static_cast<uint64_t>(state.limits.only_session_idle_ms_min));
  writer.U64(summary.position.value);
  writer.U64(static_cast<uint64_t>(summary.time_ms));
  writer.U64(summary.history_digest);
  writer.U64(summary.state_digest);
  WriteWide(&writer, state.turnover.opened);
  WriteWide(&writer, state.turnover.deposited);
  WriteWide(&writer, state.turnover.withdrawn);

  writer.Varint(state.accounts.size());
  for (const auto& [name, balance] : state.accounts.Sorted()) {
    writer.String(name);
    writer.Varint(static_cast<uint64_t>(balance));
  }
  writer.Varint(state.sessions.size());
  for (const std::shared_ptr<const Session>& shared : state.sessions.ByLastUse()) {
    const Session& session = *shared;
    writer.Varint(session.id.value);
    writer.Varint(session.owner.value);
    writer.Varint(session.window.floor());
    writer.Varint(static_cast<uint64_t>(session.last_use_ms));
    writer.Varint(session.window.records().size());
    uint64_t sequence_next = session.window.floor();
    for (const Remembered& record : session.window.records()) {
      const uint64_t sequence = session.window.SequenceOf(record);
      writer.Varint(sequence - sequence_next);
      writer.U8(static_cast<uint8_t>(record.code));
      writer.U64(record.fingerprint);
      writer.Varint(record.position.value);
      writer.Varint(static_cast<uint64_t>(record.balance));
      sequence_next = sequence + 1;
    }
  }
  writer.U32(Crc32c(bytes));
  return bytes;
}

absl::StatusOr<Ledger> Ledger::DecodeSnapshot(std::string_view bytes) {
  if (bytes.size() < kChecksumBytes) return Damaged("cut short");
  const std::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  if (ByteReader(bytes.substr(body.size())).U32() != Crc32c(body)) return Damaged("checksum");

  ByteReader reader(body);
  if (reader.Raw(kMagic.size()) != kMagic) return Damaged("not a ledger snapshot");
  const uint32_t version = reader.U32();
  const bool owners = version != kVersionWithoutOwners;
  if (reader.ok() && owners && version != kVersion) {
    return Damaged(std::string("unknown version ") + std::to_string(version));
  }
  Limits limits;
  limits.accounts_max = reader.U64();
  limits.sessions_max = reader.U64();
  limits.session_window_max = reader.U64();
  limits.session_idle_ms_max = static_cast<int64_t>(reader.U64());
  limits.remembered_max = reader.U64();
  if (owners) limits.only_session_idle_ms_min = static_cast<int64_t>(reader.U64());
  if (!reader.ok() || !ValidateLimits(limits).ok()) return Damaged("limits");

  Ledger ledger(limits);
  State& state = *ledger.state_;
  state.position = Position(reader.U64());
  state.time_ms = static_cast<int64_t>(reader.U64());
  state.history_digest = reader.U64();
  const uint64_t state_digest = reader.U64();
  Turnover turnover;
  turnover.opened = ReadWide(&reader);
  turnover.deposited = ReadWide(&reader);
  turnover.withdrawn = ReadWide(&reader);
  if (!reader.ok() || state.time_ms < 0) return Damaged("head");
  state.accounts.RestoreTurnover(turnover);

  if (!ReadAccounts(&reader, limits.accounts_max, &state.accounts)) return Damaged("accounts");
  if (!ReadSessions(&reader, limits, state.position, state.time_ms, owners, &state.sessions)) {
    return Damaged("sessions");
  }
  if (!reader.done()) return Damaged("bytes after the end");
  if (state.state_digest() != state_digest) return Damaged("digest");
  if (absl::Status status = state.Freeze().CheckConservation(); !status.ok()) {
    return Damaged(std::string(status.message()));
  }
  if (IsPlanted(Planted::kSessionsNotInSnapshot)) state.sessions = Sessions();
  return ledger;
}

}  // namespace bank::ledger
