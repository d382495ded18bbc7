#include "branch/replication/driver/read_index.h"
#include "common/planted.h"

#include <algorithm>
#include <utility>

namespace bank::replication {

void ReadIndexRounds::Begin(uint64_t round, LogIndex commit_index,
                            const std::vector<BranchId>& others, bool self_votes) {
  round_ = round;
  in_flight_ = true;
  commit_index_ = commit_index;
  asking_ = std::exchange(waiting_, {});
  unanswered_ = {others.begin(), others.end()};
  const size_t voters = others.size() + (self_votes ? 1 : 0);
  confirmations_missing_ = voters / 2 + 1 - (self_votes ? 1 : 0);
  if (IsPlanted(Planted::kReadWithoutQuorum)) confirmations_missing_ = 0;
  CompleteIfConfirmed();
}

void ReadIndexRounds::Confirm(BranchId from, uint64_t round) {
  if (!in_flight_ || round != round_ || unanswered_.erase(from) == 0) return;
  --confirmations_missing_;
  CompleteIfConfirmed();
}

void ReadIndexRounds::CompleteIfConfirmed() {
  if (confirmations_missing_ > 0) return;
  for (Waiter& waiter : asking_) due_.AddIndex(std::move(waiter.done), commit_index_);
  asking_.clear();
  unanswered_.clear();
  in_flight_ = false;
  if (waiting_.empty()) deadline_ms_ = kNever;
}

void ReadIndexRounds::Fail(const std::string& reason) {
  for (std::vector<Waiter>* waiters : {&asking_, &waiting_}) {
    for (Waiter& waiter : *waiters) {
      due_.AddIndex(std::move(waiter.done), absl::UnavailableError(reason));
    }
    waiters->clear();
  }
  unanswered_.clear();
  in_flight_ = false;
  deadline_ms_ = kNever;
}

void ReadIndexRounds::Expire(int64_t now_ms) {
  if (now_ms < deadline_ms_) return;
  deadline_ms_ = kNever;
  Expire(now_ms, asking_);
  Expire(now_ms, waiting_);
  // The round itself goes on: whoever comes next may be answered sooner by its end.
}

void ReadIndexRounds::Expire(int64_t now_ms, std::vector<Waiter>& waiters) {
  std::erase_if(waiters, [&](Waiter& waiter) {
    if (waiter.deadline_ms <= now_ms) {
      due_.AddIndex(std::move(waiter.done),
                    absl::DeadlineExceededError("no majority confirmed the leader in time"));
      return true;
    }
    deadline_ms_ = std::min(deadline_ms_, waiter.deadline_ms);
    return false;
  });
}

}  // namespace bank::replication
