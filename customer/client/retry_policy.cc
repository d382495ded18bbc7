#include "customer/client/retry_policy.h"
#include "common/planted.h"

#include <algorithm>

namespace bank::client {

using history::Ending;

RetryPolicy::RetryPolicy(const Patience& patience, Kind kind, int64_t now_ns)
    : patience_(patience), kind_(kind), deadline_ns_(now_ns + patience.operation_ns_max) {}

RetryPolicy::Next RetryPolicy::OnCall(CallFate fate, ReplyKind reply, int64_t now_ns) {
  ++attempts_;
  switch (fate) {
    case CallFate::kReplied:
      switch (reply) {
        case ReplyKind::kFinal:
          return Settle(Ending::kOk);
        case ReplyKind::kNotApplied:
          return Settle(Ending::kFail);
        case ReplyKind::kLostKey:
          return Settle(maybe_applied_ ? Ending::kInfo : Ending::kOk);
        case ReplyKind::kTryLater:
          // As an answer only if nothing else may have happened and time is up.
          if (!maybe_applied_ && now_ns >= deadline_ns_) return Settle(Ending::kOk);
          return NotThisTime(now_ns, kind_.has_key || !kind_.changes_state);
      }
      break;
    case CallFate::kNotApplied:
      return NotThisTime(now_ns, true);
    case CallFate::kDenied:
      denied_ = true;
      [[fallthrough]];
    case CallFate::kRejected:
      return NotThisTime(now_ns, false);
    case CallFate::kUnknown:
      maybe_applied_ = maybe_applied_ || kind_.changes_state;
      return NotThisTime(now_ns, kind_.has_key || !kind_.changes_state);
  }
  return Settle(Ending::kInfo);
}

RetryPolicy::Next RetryPolicy::NotThisTime(int64_t now_ns, bool again) {
  if (again && now_ns < deadline_ns_) {
    ++retries_;
    return Next::kCall;
  }
  if (!maybe_applied_ || IsPlanted(Planted::kUnknownSaidFailed)) return Settle(Ending::kFail);
  return kind_.has_key ? StartLookup(now_ns) : Settle(Ending::kInfo);
}

RetryPolicy::Next RetryPolicy::StartLookup(int64_t now_ns) {
  deadline_ns_ = now_ns + patience_.lookup_ns_max;
  retries_ = 0;
  return Next::kLookup;
}

RetryPolicy::Next RetryPolicy::OnLookup(CallFate fate, ReplyKind reply, int64_t now_ns) {
  if (fate == CallFate::kReplied && reply == ReplyKind::kFinal) return Settle(Ending::kOk);
  if (fate == CallFate::kReplied && reply == ReplyKind::kNotApplied) return Settle(Ending::kFail);
  const bool again = fate == CallFate::kNotApplied || fate == CallFate::kUnknown ||
                     (fate == CallFate::kReplied && reply == ReplyKind::kTryLater);
  if (!again || now_ns >= deadline_ns_) return Settle(Ending::kInfo);
  ++retries_;
  return Next::kLookup;
}

int64_t RetryPolicy::WaitNs(uint64_t random) const {
  if (retries_ == 0) return 0;
  constexpr uint32_t kDoublingsMax = 30;
  const int64_t doubled = patience_.backoff_ns_min << std::min(retries_ - 1, kDoublingsMax);
  const int64_t most = std::min(doubled, patience_.backoff_ns_max);
  // From half of it to all of it, so that customers who failed together do not return together.
  return most - static_cast<int64_t>(random % static_cast<uint64_t>(most / 2 + 1));
}

int64_t RetryPolicy::CallDeadlineNs(int64_t now_ns) const {
  // Not cut at the operation's own deadline: a last call that is cut short would turn an operation
  // that is certainly not applied into an unknown one.
  return now_ns + std::min(patience_.attempt_ns_max, patience_.operation_ns_max);
}

RetryPolicy::Next RetryPolicy::Settle(Ending ending) {
  ending_ = ending;
  return Next::kSettled;
}

}  // namespace bank::client
