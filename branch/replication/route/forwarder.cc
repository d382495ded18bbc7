#include "branch/replication/route/forwarder.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace bank::replication {
namespace {

// The ledger does not know the key any more: what an attempt before this one did, nobody can say.
bool SaysNothingOfBefore(const ledger::Outcome& outcome) {
  return outcome.code == ledger::Code::kUnknownSession || outcome.code == ledger::Code::kForgotten;
}

}  // namespace

Forwarder::Forwarder(const ForwarderOptions& options, const Clock& clock,
                     LeaderTransport& transport)
    : options_(options), clock_(clock), transport_(transport) {}

void Forwarder::Propose(std::string batch, uint64_t count, int64_t deadline_ns,
                        Replicator::ProposeCallback done) {
  Outgoing outgoing;
  bool earlier = false;
  const char* refusal = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) {
      refusal = kStopping;
    } else if (waiting_bytes_ + batch.size() > options_.waiting_bytes_max) {
      refusal = "this branch is busy: too many operations are waiting";
    } else {
      waiting_bytes_ += batch.size();
      waiting_count_ += count;
      waiting_.push_back(Op{std::move(batch), count, deadline_ns, false, std::move(done)});
      if (deadline_ns < next_deadline_ns_.load(std::memory_order_relaxed)) {
        next_deadline_ns_.store(deadline_ns, std::memory_order_relaxed);
        earlier = true;
      }
      outgoing = TakeLocked();
    }
  }
  if (refusal != nullptr) return done({Fate::kNotApplied, {}, refusal});
  if (earlier) transport_.WakeBy(deadline_ns);
  SendOutside(std::move(outgoing));
}

void Forwarder::OnLeader(BranchId leader) {
  Outgoing outgoing;
  {
    absl::MutexLock lock(&mutex_);
    if (leader == leader_ || stopped_) return;
    leader_ = leader;
    if (leader.value == 0) return;  // whoever led may still answer
    std::vector<Op> lost;
    for (size_t i = 0; i < calls_.size();) {
      if (calls_[i].leader == leader) {
        ++i;
        continue;
      }
      std::move(calls_[i].ops.begin(), calls_[i].ops.end(), std::back_inserter(lost));
      calls_count_ -= calls_[i].count;
      calls_.erase(calls_.begin() + static_cast<ptrdiff_t>(i));
    }
    RequeueLocked(std::move(lost), /*unsure=*/true);
    paused_until_ns_ = 0;
    pause_.Reset();
    outgoing = TakeLocked();
  }
  SendOutside(std::move(outgoing));
}

void Forwarder::OnTimer(int64_t now_ns) {
  Outgoing outgoing;
  Completions completions;
  {
    absl::MutexLock lock(&mutex_);
    if (paused_until_ns_ != 0 && now_ns >= paused_until_ns_) paused_until_ns_ = 0;
    int64_t next_ns = paused_until_ns_ != 0 ? paused_until_ns_ : INT64_MAX;
    if (linger_until_ns_ > now_ns) next_ns = std::min(next_ns, linger_until_ns_);
    for (Call& call : calls_) {
      for (Op& op : call.ops) {
        if (!op.done) continue;
        if (op.deadline_ns > now_ns) {
          next_ns = std::min(next_ns, op.deadline_ns);
          continue;
        }
        completions.push_back({std::exchange(op.done, nullptr),
                               {Fate::kUnknown, {}, "the leader did not answer in time"}});
      }
    }
    auto keep = waiting_.begin();
    for (Op& op : waiting_) {
      if (op.deadline_ns > now_ns) {
        next_ns = std::min(next_ns, op.deadline_ns);
        if (&*keep != &op) *keep = std::move(op);
        ++keep;
        continue;
      }
      waiting_bytes_ -= op.batch.size();
      waiting_count_ -= op.count;
      completions.push_back({std::move(op.done),
                             {op.unsure ? Fate::kUnknown : Fate::kNotApplied,
                              {},
                              "no leader took the operation in time"}});
    }
    waiting_.erase(keep, waiting_.end());
    next_deadline_ns_.store(next_ns, std::memory_order_relaxed);
    outgoing = TakeLocked();
  }
  SendOutside(std::move(outgoing));
  Run(std::move(completions));
}

void Forwarder::Stop() {
  Completions completions;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    for (Call& call : calls_) {
      for (Op& op : call.ops) {
        if (op.done) completions.push_back({std::move(op.done), {Fate::kUnknown, {}, kStopping}});
      }
    }
    for (Op& op : waiting_) {
      completions.push_back(
          {std::move(op.done), {op.unsure ? Fate::kUnknown : Fate::kNotApplied, {}, kStopping}});
    }
    calls_.clear();
    waiting_.clear();
    waiting_bytes_ = waiting_count_ = calls_count_ = 0;
    next_deadline_ns_.store(INT64_MAX, std::memory_order_relaxed);
  }
  Run(std::move(completions));
}

bool Forwarder::MaySendLocked() {
  if (waiting_.empty() || leader_.value == 0 || paused_until_ns_ != 0 || stopped_) return false;
  if (calls_.empty()) {
    if (waiting_count_ * 2 >= last_count_) return true;
    const int64_t now_ns = clock_.NowNs();
    if (linger_until_ns_ == 0) linger_until_ns_ = now_ns + options_.linger_ns;
    return now_ns >= linger_until_ns_;
  }
  return calls_.size() < options_.calls_max &&
         waiting_count_ >= std::max(options_.further_call_commands_min, calls_count_ / 2);
}

Forwarder::Outgoing Forwarder::TakeLocked() {
  if (!MaySendLocked()) {
    Outgoing later;
    // Over already, something else holds them back, which has a deadline of its own or none.
    if (linger_until_ns_ != 0 && linger_until_ns_ > clock_.NowNs() &&
        linger_until_ns_ < next_deadline_ns_.load(std::memory_order_relaxed)) {
      next_deadline_ns_.store(linger_until_ns_, std::memory_order_relaxed);
      later.wake_ns = linger_until_ns_;
    }
    return later;
  }
  linger_until_ns_ = 0;
  size_t n = 0;
  uint64_t count = 0;
  uint64_t bytes = 0;
  int64_t deadline_ns = 0;
  for (const Op& op : waiting_) {
    if (n > 0 && (count + op.count > options_.call_commands_max ||
                  bytes + op.batch.size() > options_.call_bytes_max)) {
      break;
    }
    ++n;
    count += op.count;
    bytes += op.batch.size();
    deadline_ns = std::max(deadline_ns, op.deadline_ns);
  }

  Outgoing out;
  out.id = next_id_++;
  out.leader = leader_;
  out.request.count = count;
  out.request.timeout_ms = std::max<int64_t>(1, (deadline_ns - clock_.NowNs()) / kNsPerMs);
  out.request.batch.reserve(bytes);
  for (size_t i = 0; i < n; ++i) out.request.batch += waiting_[i].batch;

  Call call{out.id, leader_, count, {}};
  if (n == waiting_.size()) {
    call.ops.reserve(n);  // the next round will be about as large
    call.ops.swap(waiting_);
  } else {
    const auto end = waiting_.begin() + static_cast<ptrdiff_t>(n);
    call.ops.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
  }
  out.more = !waiting_.empty();
  waiting_count_ -= count;
  waiting_bytes_ -= bytes;
  calls_count_ += count;
  calls_.push_back(std::move(call));
  return out;
}

void Forwarder::SendOutside(Outgoing outgoing) {
  if (outgoing.wake_ns != INT64_MAX) transport_.WakeBy(outgoing.wake_ns);
  while (outgoing.id != 0) {
    const bool more = outgoing.more;
    transport_.Submit(
        outgoing.leader, std::move(outgoing.request),
        [this, id = outgoing.id](ForwardResult result) { OnResult(id, std::move(result)); });
    if (!more) return;
    absl::MutexLock lock(&mutex_);
    outgoing = TakeLocked();
  }
}

void Forwarder::OnResult(uint64_t id, ForwardResult result) {
  Outgoing outgoing;
  Completions completions;
  int64_t wake_ns = INT64_MAX;
  {
    absl::MutexLock lock(&mutex_);
    auto call =
        std::find_if(calls_.begin(), calls_.end(), [id](const Call& c) { return c.id == id; });
    if (call == calls_.end()) return;  // given up, and sent again or answered since
    std::vector<Op> ops = std::move(call->ops);
    const uint64_t count = call->count;
    calls_count_ -= count;
    last_count_ = count;
    calls_.erase(call);
    if (result.fate == Fate::kApplied && result.outcomes.size() == count) {
      pause_.Reset();
      Cut(std::move(ops), std::move(result.outcomes), &completions);
    } else {
      RequeueLocked(std::move(ops), result.fate != Fate::kNotApplied);
      PauseLocked();
      wake_ns = paused_until_ns_;
    }
    outgoing = TakeLocked();
  }
  if (wake_ns != INT64_MAX) transport_.WakeBy(wake_ns);
  // First the next call, then the answers: the leader works while this thread answers.
  SendOutside(std::move(outgoing));
  Run(std::move(completions));
}

void Forwarder::RequeueLocked(std::vector<Op> ops, bool unsure) {
  if (ops.empty()) return;
  std::vector<Op> all;
  all.reserve(ops.size() + waiting_.size());
  for (Op& op : ops) {
    if (!op.done) continue;  // its deadline has passed
    op.unsure |= unsure;
    waiting_bytes_ += op.batch.size();
    waiting_count_ += op.count;
    all.push_back(std::move(op));
  }
  std::move(waiting_.begin(), waiting_.end(), std::back_inserter(all));
  waiting_ = std::move(all);
}

void Forwarder::PauseLocked() {
  paused_until_ns_ = clock_.NowNs() + pause_.Take();
  if (paused_until_ns_ < next_deadline_ns_.load(std::memory_order_relaxed)) {
    next_deadline_ns_.store(paused_until_ns_, std::memory_order_relaxed);
  }
}

void Forwarder::Cut(std::vector<Op> ops, std::vector<ledger::Outcome> outcomes, Completions* out) {
  out->reserve(ops.size());
  auto next = outcomes.begin();
  for (Op& op : ops) {
    const auto end = next + static_cast<ptrdiff_t>(op.count);
    if (op.done) {
      ProposeResult result{Fate::kApplied, {}, {}, op.unsure};
      if (op.unsure && std::any_of(next, end, SaysNothingOfBefore)) {
        result = {Fate::kUnknown, {}, "its session ended before an earlier attempt was answered"};
      } else if (ops.size() == 1) {
        result.outcomes = std::move(outcomes);
      } else {
        result.outcomes.assign(next, end);
      }
      out->push_back({std::move(op.done), std::move(result)});
    }
    next = end;
  }
}

void Forwarder::Run(Completions completions) {
  for (Completion& c : completions) c.done(std::move(c.result));
}

}  // namespace bank::replication
