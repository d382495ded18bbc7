// PlacementProblem: what a certificate knows about the positions that no recorded operation holds,
// and about the answers that operations of unknown outcome may have changed. Plain values.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "checker/model/operation.h"
#include "checker/model/rules.h"

namespace bank::checker {

struct PlacementProblem {
  static constexpr uint32_t kNone = UINT32_MAX;

  // Positions that no recorded operation holds, one after the other.
  struct Gap {
    uint64_t first = 0;
    uint64_t length = 0;          // of use, from `first` on
    int64_t return_min = kNever;  // of all operations behind it
    uint32_t next_event = 0;      // place in `events` of the first one behind it
  };
  // An answer about an account that a gap stands before.
  struct Event {
    Operation op;
    // Its accounts of which all is known: place in `certain`, or kNone.
    uint32_t account = kNone;
    uint32_t to = kNone;
  };
  // From the first gap behind an answer that told all about an account to the next such answer.
  // Every gap lies in one interval of each account.
  struct Interval {
    AccountView opening;  // at the first gap
    uint64_t since = 0;   // position of the answer before it
    uint32_t first_gap = 0;
    uint32_t last_gap = 0;
    uint32_t end_event = kNone;  // the answer that ends it; kNone: the history ends
    // Unknown operations must have added `missing` in it; else nothing is known about the sum.
    bool has_missing = false;
    bool opens = false;       // and one of them has opened the account
    bool has_events = false;  // answers in it concern the account
    Wide missing = 0;
  };

  std::deque<Gap> gaps;
  std::deque<Event> events;
  std::deque<AccountView> certain;
  std::vector<std::vector<Interval>> intervals;  // by account
  std::vector<Operation> unknown;
  BankView bank;            // as a whole, at the first gap
  bool has_others = false;  // there may be accounts that nobody names
  // `bank` may be followed from answer to answer: `events` are all of them.
  bool has_all_events = false;
};

}  // namespace bank::checker
