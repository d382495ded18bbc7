// BranchSession: keys of the branch's own session, for writes that come without one.
//
// Hands out ranges of sequences so that none is session_window_max or more above the oldest
// unanswered one: the ledger then never answers kWindowFull. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "common/ids.h"

namespace bank::teller {

class BranchSession {
 public:
  struct Grant {
    SessionId session{};
    uint64_t first_sequence = 0;
    uint64_t answered_below = 0;
    uint64_t ticket = 0;  // names the grant in Answered()
  };

  explicit BranchSession(uint64_t session_window_max) : window_max_(session_window_max) {}

  bool open() const { return session_ != SessionId{}; }
  // Begins anew with a fresh session.
  void Open(SessionId session);
  // Forgets `session`, if it is the present one; else false: it is forgotten already.
  bool Close(SessionId session);

  // Keys for `count` commands in a row, or none: not open, or too many are unanswered.
  std::optional<Grant> Take(uint64_t count);
  // The fate of the grant's commands is decided or given up. Grants of former sessions are ignored.
  void Answered(const Grant& grant);

 private:
  struct Unanswered {
    uint64_t first_sequence;
    bool answered;
  };

  const uint64_t window_max_;
  SessionId session_{};
  uint64_t next_sequence_ = 1;
  uint64_t first_ticket_ = 0;          // of unanswered_.front()
  std::deque<Unanswered> unanswered_;  // the front one is unanswered
};

}  // namespace bank::teller
