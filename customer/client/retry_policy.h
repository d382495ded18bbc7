// RetryPolicy: what becomes of one operation, over all its attempts.
//
// Pure: told the fate of each call and the time, it says what to do next. Certain and unknown are
// never mixed up: an operation is `fail` only if none of its attempts can have been applied or
// the bank said so for all time (Lookup), and `ok` only with the bank's own answer. Every attempt
// of an operation carries the same key. Times are nanoseconds of the steady clock.
#pragma once

#include <cstdint>

#include "customer/history/event.h"

namespace bank::client {

// What a call, that is one attempt, says about its operation.
enum class CallFate : uint8_t {
  kReplied,     // the bank's reply is here
  kNotApplied,  // certain: not applied by this attempt; another one may succeed
  kRejected,    // certain, and the same request would be rejected again
  kDenied,      // certain: not authorised
  kUnknown,     // it may have been applied, or still be
};

// What a reply says, by its result code.
enum class ReplyKind : uint8_t {
  kFinal,     // the first outcome of this key, success or refusal
  kLostKey,   // unknown_session, key_reused, forgotten: this attempt changed nothing, but the bank
              // cannot say what earlier attempts did
  kTryLater,  // window_full: this attempt changed nothing
  kNotApplied,  // not applied, for all time
};

struct Patience {
  int64_t attempt_ns_max = 2'000'000'000;     // one call
  int64_t operation_ns_max = 30'000'000'000;  // no attempt begins later
  int64_t lookup_ns_max = 5'000'000'000;      // then, asking what became of it
  int64_t backoff_ns_min = 5'000'000;         // before the second attempt; doubles
  int64_t backoff_ns_max = 250'000'000;
};

class RetryPolicy {
 public:
  enum class Next : uint8_t { kCall, kLookup, kSettled };

  // `changes_state` is false for queries: they can be asked again and again, and end as kFail when
  // no answer came. Without a key an operation must not be sent twice: one attempt, no lookup.
  struct Kind {
    bool changes_state = true;
    bool has_key = true;
  };
  RetryPolicy(const Patience& patience, Kind kind, int64_t now_ns);

  // Call once per attempt, with `reply` if it is kReplied.
  Next OnCall(CallFate fate, ReplyKind reply, int64_t now_ns);
  Next OnLookup(CallFate fate, ReplyKind reply, int64_t now_ns);

  // Before the next call or lookup: how long to wait, and when the call ends at the latest.
  // `random` spreads the waiting of many customers: any number.
  int64_t WaitNs(uint64_t random) const;
  int64_t CallDeadlineNs(int64_t now_ns) const;

  history::Ending ending() const { return ending_; }  // once settled
  uint32_t attempts() const { return attempts_; }
  bool denied() const { return denied_; }

 private:
  Next Settle(history::Ending ending);
  Next NotThisTime(int64_t now_ns, bool again);
  Next StartLookup(int64_t now_ns);

  const Patience patience_;
  const Kind kind_;
  int64_t deadline_ns_;
  uint32_t attempts_ = 0;
  uint32_t retries_ = 0;        // since the last change between calling and looking up
  bool maybe_applied_ = false;  // some attempt's fate is unknown
  bool denied_ = false;
  history::Ending ending_ = history::Ending::kInfo;
};

}  // namespace bank::client
