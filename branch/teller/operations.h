// What customers ask of a branch, and its form in a log entry: rows, one command each.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "branch/ledger/ledger.h"
#include "branch/teller/branch_session.h"
#include "common/ids.h"

namespace bank::teller {

enum class Consistency { kLinearizable, kAtLeast, kLocal };

// Refers to bytes that need to live only until the call returns. An empty account means the shared
// one. A name that is too long is cut to one byte more than is allowed before it travels: the
// ledger refuses it all the same, and remembers that.
struct Operation {
  ledger::Kind kind = ledger::Kind::kQuery;  // kOpen to kQuery; others are answered kBadCommand
                                             // at position 0, without asking the ledger
  std::string_view account{};
  std::string_view to{};  // kTransfer only
  int64_t amount = 0;
  SessionId session{};  // 0: the branch gives the write a key of its own
  uint64_t sequence = 0;
  uint64_t answered_below = 0;                           // at most `sequence`
  Consistency consistency = Consistency::kLinearizable;  // kQuery only
  Position minimum_position{};                           // kAtLeast only
  uint64_t clock = 0;  // the customer's logical clock when he sent it; 0: he has none
};

// Column-wise: element i of every column belongs to operation i. `kind` says how many there are; an
// empty column stands for zeros. Lives until the call returns.
struct Batch {
  std::span<const ledger::Kind> kind{};
  std::span<const int64_t> amount{};
  std::span<const std::string_view> names{};  // none: the shared account alone
  std::span<const uint32_t> account{};        // index into names
  std::span<const uint32_t> to{};             // index into names; read for kTransfer only
  SessionId session{};                        // 0: the branch gives keys of its own
  uint64_t first_sequence = 0;                // operation i has first_sequence + i
  uint64_t answered_below = 0;                // at most first_sequence
};

bool IsWrite(ledger::Kind kind);

// As it travels.
std::string_view AccountOf(const Operation& operation);

// What a customer's key is refused for at the door, without asking the ledger: kUnknownSession if
// it names a session of a branch, kBadCommand if it calls answers seen that were never asked for;
// else kOk.
ledger::Code CheckKey(SessionId session, uint64_t sequence, uint64_t answered_below);

// Why the columns do not fit together; empty if they do.
std::string FindFault(const Batch& batch);

// What a row carries so that it has one effect; operation i of a batch has first_sequence + i.
struct Keys {
  SessionId session{};  // 0: none
  uint64_t first_sequence = 0;
  uint64_t answered_below = 0;
};
Keys KeysOf(const BranchSession::Grant& grant);

std::string Encode(const Operation& operation, const Keys& keys);
// FindFault() must have found none.
std::string Encode(const Batch& batch, const Keys& keys);
// The same commands under other keys.
std::string Rekey(std::string_view rows, const Keys& keys);

}  // namespace bank::teller
