// The ledger's answer to one command. Refusals are answers too: ordered, deterministic, remembered.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"

namespace bank::ledger {

// A command that deserves several refusals gets the first of: what its session has to say
// (kUnknownSession, kForgotten, kWindowFull, kKeyReused, or the remembered outcome), kBadCommand,
// kBadAccount, kBadAmount, kUnknownAccount (of `account`, then of `to`) or kAccountExists,
// kTooManyAccounts, kInsufficientFunds, kOverflow.
//
// Numbers are part of the log and snapshot formats and equal the wire's ResultCode.
enum class Code : uint8_t {
  kOk = 0,
  kInsufficientFunds = 1,
  kUnknownAccount = 2,
  kAccountExists = 3,
  kBadAmount = 4,   // zero, or negative
  kOverflow = 5,    // a balance, or the bank's total, would pass 2^63-1
  kBadAccount = 6,  // empty or longer than kAccountNameBytesMax, or a transfer to itself
  // Never opened, or expired: this key is not applied now or ever by this call.
  kUnknownSession = 7,
  // The same key came before with other content, or the session to be opened is open already;
  // nothing changes.
  kKeyReused = 8,
  // The key is below answered_below: it was answered, the answer is gone.
  kForgotten = 9,
  // The sequence is too far above the oldest unanswered one; nothing changes, retry later.
  kWindowFull = 10,
  // kResolve's answer, and that of a sealed key: it never was and never will be applied.
  kNotApplied = 11,
  kBadCommand = 12,  // unknown interface or kind, sequence 0, or answered_below above the sequence
  kTooManyAccounts = 13,
  // kOpenSession only: every owner has one session, and none has been idle for long.
  kTooManySessions = 14,
};
inline constexpr Code kCodeLast = Code::kTooManySessions;

std::string_view CodeName(Code code);  // "ok", "insufficient_funds", ...

struct Outcome {
  Code code = Code::kBadCommand;
  bool replayed = false;  // the first outcome of this key, answered again
  // Where in the total order the write (or refusal) took effect. Every command that is remembered,
  // opens a session or founds an account takes the next position. kQuery, replays, and refusals
  // that are not remembered (kUnknownSession, kForgotten, kWindowFull, kKeyReused, an
  // answered_below above the sequence, and any refusal of a command without a key: kOpenSession,
  // session or sequence 0) take none: they report the position of the
  // last write before them, a replay that of its first outcome.
  Position position{};
  // The balance of `account` at `position`, after the command; 0 if there is no such account.
  int64_t balance = 0;

  bool operator==(const Outcome&) const = default;
};

// Between branches outcomes travel as these bytes (docs/FORMATS.md).
void AppendOutcome(const Outcome& outcome, std::string* out);
// False unless `bytes` is exactly `count` well-formed outcomes.
bool DecodeOutcomes(std::string_view bytes, uint64_t count, std::vector<Outcome>* outcomes);

}  // namespace bank::ledger
