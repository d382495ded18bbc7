#include "branch/ledger/outcome.h"

#include "common/bytes.h"

namespace bank::ledger {
namespace {

constexpr uint8_t kReplayedBit = 0x80;
constexpr size_t kOutcomeBytesMin = 3;

}  // namespace

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk:
      return "ok";
    case Code::kInsufficientFunds:
      return "insufficient_funds";
    case Code::kUnknownAccount:
      return "unknown_account";
    case Code::kAccountExists:
      return "account_exists";
    case Code::kBadAmount:
      return "bad_amount";
    case Code::kOverflow:
      return "overflow";
    case Code::kBadAccount:
      return "bad_account";
    case Code::kUnknownSession:
      return "unknown_session";
    case Code::kKeyReused:
      return "key_reused";
    case Code::kForgotten:
      return "forgotten";
    case Code::kWindowFull:
      return "window_full";
    case Code::kNotApplied:
      return "not_applied";
    case Code::kBadCommand:
      return "bad_command";
    case Code::kTooManyAccounts:
      return "too_many_accounts";
    case Code::kTooManySessions:
      return "too_many_sessions";
  }
  return "unknown_code";
}

void AppendOutcome(const Outcome& outcome, std::string* out) {
  ByteWriter writer(out);
  writer.U8(static_cast<uint8_t>(static_cast<uint8_t>(outcome.code) |
                                 (outcome.replayed ? kReplayedBit : 0)));
  writer.Varint(outcome.position.value);
  writer.Varint(static_cast<uint64_t>(outcome.balance));
}

bool DecodeOutcomes(std::string_view bytes, uint64_t count, std::vector<Outcome>* outcomes) {
  outcomes->clear();
  if (count > bytes.size() / kOutcomeBytesMin) return false;
  outcomes->reserve(count);
  ByteReader reader(bytes);
  for (uint64_t i = 0; i < count; ++i) {
    const uint8_t first = reader.U8();
    Outcome outcome;
    outcome.code = static_cast<Code>(first & ~kReplayedBit);
    outcome.replayed = (first & kReplayedBit) != 0;
    outcome.position = Position(reader.Varint());
    outcome.balance = static_cast<int64_t>(reader.Varint());
    if (!reader.ok() || outcome.code > kCodeLast || outcome.balance < 0) return false;
    outcomes->push_back(outcome);
  }
  return reader.done();
}

}  // namespace bank::ledger
