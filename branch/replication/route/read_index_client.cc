#include "branch/replication/route/read_index_client.h"
#include "common/planted.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace bank::replication {
namespace {

template <class T>
void MoveAll(std::vector<T>& from, std::vector<T>* to) {
  std::move(from.begin(), from.end(), std::back_inserter(*to));
  from.clear();
}

}  // namespace

ReadIndexClient::ReadIndexClient(const Clock& clock, LeaderTransport& transport)
    : clock_(clock), transport_(transport) {}

void ReadIndexClient::Enter(int64_t deadline_ns, Replicator::ReadCallback done) {
  Outgoing outgoing;
  bool earlier = false;
  const char* refusal = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) {
      refusal = kStopping;
    } else if (waiting_.size() >= kBarriersMax) {
      refusal = "this branch is busy: too many reads are waiting";
    } else {
      waiting_.push_back({deadline_ns, std::move(done)});
      if (deadline_ns < next_deadline_ns_.load(std::memory_order_relaxed)) {
        next_deadline_ns_.store(deadline_ns, std::memory_order_relaxed);
        earlier = true;
      }
      outgoing = TakeLocked();
    }
  }
  if (refusal != nullptr) return done(absl::UnavailableError(refusal));
  if (earlier) transport_.WakeBy(deadline_ns);
  SendOutside(std::move(outgoing));
}

void ReadIndexClient::OnStatus(BranchId leader, LogIndex applied) {
  Outgoing outgoing;
  std::vector<Barrier> ready;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return;
    applied_ = applied;
    auto keep = confirmed_.begin();
    for (Confirmed& c : confirmed_) {
      if (c.index <= applied) {
        MoveAll(c.barriers, &ready);
      } else {
        if (&*keep != &c) *keep = std::move(c);
        ++keep;
      }
    }
    confirmed_.erase(keep, confirmed_.end());
    if (leader != leader_) {
      leader_ = leader;
      if (leader.value != 0) {
        if (asked_id_ != 0 && asked_leader_ != leader) RequeueLocked();
        paused_until_ns_ = 0;
        pause_.Reset();
        outgoing = TakeLocked();
      }
    }
  }
  SendOutside(std::move(outgoing));
  Run(std::move(ready), absl::OkStatus());
}

void ReadIndexClient::OnTimer(int64_t now_ns) {
  Outgoing outgoing;
  std::vector<Barrier> expired;
  {
    absl::MutexLock lock(&mutex_);
    if (paused_until_ns_ != 0 && now_ns >= paused_until_ns_) paused_until_ns_ = 0;
    int64_t next_ns = paused_until_ns_ != 0 ? paused_until_ns_ : INT64_MAX;
    const auto expire = [&](std::vector<Barrier>& barriers) {
      auto keep = barriers.begin();
      for (Barrier& barrier : barriers) {
        if (barrier.deadline_ns <= now_ns) {
          expired.push_back(std::move(barrier));
          continue;
        }
        next_ns = std::min(next_ns, barrier.deadline_ns);
        if (&*keep != &barrier) *keep = std::move(barrier);
        ++keep;
      }
      barriers.erase(keep, barriers.end());
    };
    expire(waiting_);
    expire(asked_);
    for (Confirmed& c : confirmed_) expire(c.barriers);
    std::erase_if(confirmed_, [](const Confirmed& c) { return c.barriers.empty(); });
    next_deadline_ns_.store(next_ns, std::memory_order_relaxed);
    outgoing = TakeLocked();
  }
  SendOutside(std::move(outgoing));
  Run(std::move(expired), absl::DeadlineExceededError("the read was not confirmed in time"));
}

void ReadIndexClient::Stop() {
  std::vector<Barrier> all;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    asked_id_ = 0;
    MoveAll(asked_, &all);
    MoveAll(waiting_, &all);
    for (Confirmed& c : confirmed_) MoveAll(c.barriers, &all);
    confirmed_.clear();
    next_deadline_ns_.store(INT64_MAX, std::memory_order_relaxed);
  }
  Run(std::move(all), absl::UnavailableError(kStopping));
}

ReadIndexClient::Outgoing ReadIndexClient::TakeLocked() {
  if (stopped_ || asked_id_ != 0 || waiting_.empty() || leader_.value == 0 ||
      paused_until_ns_ != 0) {
    return {};
  }
  int64_t deadline_ns = 0;
  for (const Barrier& b : waiting_) deadline_ns = std::max(deadline_ns, b.deadline_ns);
  asked_.swap(waiting_);
  asked_id_ = next_id_++;
  asked_leader_ = leader_;
  Outgoing out;
  out.id = asked_id_;
  out.leader = leader_;
  out.request.read_index = true;
  out.request.timeout_ms = std::max<int64_t>(1, (deadline_ns - clock_.NowNs()) / kNsPerMs);
  return out;
}

void ReadIndexClient::SendOutside(Outgoing outgoing) {
  if (outgoing.id == 0) return;
  transport_.Submit(outgoing.leader, std::move(outgoing.request),
                    [this, id = outgoing.id](ForwardResult result) { OnResult(id, result); });
}

void ReadIndexClient::OnResult(uint64_t id, const ForwardResult& result) {
  Outgoing outgoing;
  std::vector<Barrier> ready;
  int64_t wake_ns = INT64_MAX;
  {
    absl::MutexLock lock(&mutex_);
    if (id != asked_id_) return;  // given up since
    if (result.read_index.value == 0) {
      RequeueLocked();
      wake_ns = paused_until_ns_ = clock_.NowNs() + pause_.Take();
      if (wake_ns < next_deadline_ns_.load(std::memory_order_relaxed)) {
        next_deadline_ns_.store(wake_ns, std::memory_order_relaxed);
      }
    } else {
      asked_id_ = 0;
      pause_.Reset();
      if (result.read_index <= applied_ || IsPlanted(Planted::kReadBeforeApplied)) {
        ready.swap(asked_);
      } else if (!asked_.empty()) {
        confirmed_.push_back({result.read_index, std::move(asked_)});
        asked_.clear();
      }
    }
    outgoing = TakeLocked();
  }
  if (wake_ns != INT64_MAX) transport_.WakeBy(wake_ns);
  SendOutside(std::move(outgoing));
  Run(std::move(ready), absl::OkStatus());
}

void ReadIndexClient::RequeueLocked() {
  asked_id_ = 0;
  MoveAll(waiting_, &asked_);
  waiting_.swap(asked_);
}

void ReadIndexClient::Run(std::vector<Barrier> barriers, const absl::Status& status) {
  for (Barrier& barrier : barriers) barrier.done(status);
}

}  // namespace bank::replication
