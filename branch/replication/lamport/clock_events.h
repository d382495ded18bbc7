// ClockEvents: the exercise's events at one branch, in the order they happened, with their clocks.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "branch/ledger/command.h"
#include "common/ids.h"

namespace bank::replication::lamport {

// What the exercise sees of a write: its first command that moves money.
struct Movement {
  ledger::Kind kind = ledger::Kind::kDeposit;  // kDeposit, kWithdraw or kTransfer
  SessionId session;                           // the command's key
  uint64_t sequence = 0;
  bool can_fail_for_money =
      false;  // the write may be refused for want of it: it holds more than deposits
};
// std::nullopt: the write moves none.
std::optional<Movement> MovementOf(std::string_view batch);

struct ClockEvent {
  uint64_t number = 0;  // of this branch's events, from 1
  uint64_t clock = 0;
  // kAnsweredByBranch is no event of the exercise as it is since 2023, and no tick: a propagation
  // of this branch is known to have arrived.
  enum class What { kReceivedFromCustomer, kSentToBranch, kReceivedFromBranch, kAnsweredByBranch };
  What what = What::kReceivedFromCustomer;
  BranchId partner;  // 0: a customer
  ledger::Kind kind = ledger::Kind::kDeposit;
  SessionId session;  // the key of the customer's write
  uint64_t sequence = 0;
};

// Keeps the newest ones. Not thread-safe.
class ClockEvents {
 public:
  static constexpr size_t kKeptMax = 1'000'000;

  void Add(uint64_t clock, ClockEvent::What what, BranchId partner, const Movement& movement);

  // Those after the event of this number, oldest first, at most `limit`.
  std::vector<ClockEvent> After(uint64_t number, size_t limit) const;

 private:
  std::deque<ClockEvent> events_;
  uint64_t count_ = 0;
};

}  // namespace bank::replication::lamport
