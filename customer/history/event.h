// One line of a history: an operation's invocation or its completion (docs/HISTORY.md).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/ids.h"

namespace bank::history {

enum class Op : uint8_t { kOpen, kQuery, kDeposit, kWithdraw, kTransfer };
std::string_view OpName(Op op);  // "open", ...; also the wire's name

enum class Freshness : uint8_t { kLinearizable, kAtLeast, kLocal };

// What a customer asks.
struct Operation {
  Op op = Op::kQuery;
  std::string account = "shared";
  std::string to = {};                             // kTransfer only
  int64_t amount = 0;                              // minor units
  Freshness freshness = Freshness::kLinearizable;  // kQuery only
  Position minimum = {};                           // kAtLeast only
};

// Which operation it is: `process` and `id` for the history, session and sequence for the bank.
struct Identity {
  uint64_t process = 1;
  uint64_t id = 0;
  SessionId session = {};
  uint64_t sequence = 0;
};

enum class Ending : uint8_t {
  kOk,    // answered; refusals are answers
  kFail,  // certainly not applied, now or later
  kInfo,  // unknown
};

struct Completion {
  Ending ending = Ending::kInfo;
  std::string_view result = {};  // kOk: name of the result code
  int64_t balance = 0;           // kOk
  Position index = {};           // kOk
  bool replayed = false;         // kOk
  std::string_view reason = {};  // kFail, kInfo: one line
};

struct Header {
  std::map<std::string, int64_t> initial = {};  // accounts that existed before, with their balances
  uint64_t processes = 0;
};

// Lines with their end. Append to `out`.
void AppendHeader(const Header& header, std::string* out);
void AppendInvocation(const Identity& identity, const Operation& operation, BranchId branch,
                      int64_t ns, std::string* out);
void AppendCompletion(const Identity& identity, const Operation& operation,
                      const Completion& completion, BranchId branch, int64_t ns, std::string* out);

}  // namespace bank::history
