// What a customer may ask of the ledger, and how a batch of it stands in a log entry.
//
// The bytes are documented in docs/FORMATS.md. A batch is a row of commands, one after the other;
// batches are joined by joining their bytes. Everything here is pure and deterministic.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/ids.h"

namespace bank::ledger {

// Keys. A command with an effect carries a key; without one (session 0) it is refused with
// kUnknownSession. The one exception is kOpen: a bank's first leader founds the shared account
// before any session exists, and an account that is there already answers kAccountExists, so that
// repeating it is harmless. Such an open is not remembered.
enum class Kind : uint8_t {
  kOpen = 1,         // open `account` with `amount` >= 0
  kDeposit = 2,      // add `amount` > 0 to `account`
  kWithdraw = 3,     // take `amount` > 0 from `account`; never below zero
  kTransfer = 4,     // move `amount` > 0 from `account` to `to`
  kQuery = 5,        // read `account` at this place in the order; changes nothing, has no key
  kOpenSession = 6,  // open the session `session` for the owner `sequence`; has no key
  kResolve = 7,      // decide for all time what became of the key (session, sequence): its first
                     // outcome, or, if there is none, a seal that refuses the key from now on
};

// Session ids from here on are for the sessions in which branches key the writes that come without
// a key. A teller gives no customer such an id and takes none from a customer; the ledger ends such
// a session last.
inline constexpr uint64_t kBranchSessionsBegin = uint64_t{0xffff} << 48;
constexpr bool IsBranchSession(SessionId id) { return id.value >= kBranchSessionsBegin; }

// The account of the exercise, and of requests that name none.
inline constexpr std::string_view kSharedAccount = "shared";
inline constexpr size_t kAccountNameBytesMax = 128;   // inclusive; names have at least 1 byte
inline constexpr size_t kEncodedNameBytesMax = 4096;  // inclusive; longer ones are malformed

// A command refers to bytes it does not own.
struct Command {
  Kind kind = Kind::kQuery;
  SessionId session{};          // the key's first half; 0 for kQuery
  uint64_t sequence = 0;        // the key's second half, from 1
  uint64_t answered_below = 0;  // the customer has seen the answers of all sequences below this
                                // one; at most `sequence`
  std::string_view account{};
  std::string_view to{};  // kTransfer only
  int64_t amount = 0;     // minor units
};

// Appends the bytes of `command` to `batch`. Bad amounts and names are encoded too, as they are:
// refusing them is the ledger's business, so that a refusal is ordered and remembered like a
// success. A name longer than kEncodedNameBytesMax must not be given; the teller refuses it at
// the door. A kind this build does not know is carried like any other and refused by the ledger.
void AppendCommand(const Command& command, std::string* batch);

// Walks over a batch. Stops at the end or at the first malformed command.
class CommandReader {
 public:
  explicit CommandReader(std::string_view batch) : rest_(batch) {}
  // False at the end and on malformed bytes; status() tells which.
  bool Next(Command* command);
  const absl::Status& status() const { return status_; }

 private:
  std::string_view rest_;
  absl::Status status_;
};

// InvalidArgument unless `batch` is exactly `count` well-formed commands.
absl::Status ValidateBatch(std::string_view batch, uint64_t count);

// By which rules an entry is applied, on every branch and in every replay: its format version. A
// branch that does not know an entry's rules stops, and so never drifts away from the others.
enum class Rules : uint8_t {
  kFirst = 1,  // a session's id is the position that opened it and it has no owner;
               // `answered_below` may be anything
  kOwned = 2,  // what this header says
};

// The payload of a log entry: the bank's time and a batch.
struct EntryHeader {
  int64_t time_ms = 0;  // the bank's own clock (see Ledger::time_ms), stamped by the leader
  uint64_t count = 0;   // commands in the batch
  Rules rules = Rules::kOwned;
};
std::string EncodeEntry(const EntryHeader& header, std::string_view batch);
absl::Status DecodeEntry(std::string_view payload, EntryHeader* header, std::string_view* batch);

}  // namespace bank::ledger
