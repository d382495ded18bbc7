// A replicator of one: the real ledger, no log, and whatever fate a test wants.
#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "branch/ledger/ledger.h"
#include "branch/replication/replicator.h"
#include "common/check.h"

namespace bank::replication {

class FakeReplicator final : public Replicator {
 public:
  // What becomes of the next proposals and reads.
  void SetFate(Fate fate) {
    std::lock_guard lock(mutex_);
    fate_ = fate;
  }
  void SetRead(absl::Status status) {
    std::lock_guard lock(mutex_);
    read_ = std::move(status);
  }
  // While held, proposals stay open until Release(), or its backward kind: the last one first.
  void Hold() {
    std::lock_guard lock(mutex_);
    held_ = true;
  }
  void Release() { Complete(TakeWaiting()); }
  void ReleaseBackwards() {
    Waiting waiting = TakeWaiting();
    std::reverse(waiting.begin(), waiting.end());
    Complete(std::move(waiting));
  }
  // Of the newest proposal.
  int64_t deadline_ns() const {
    std::lock_guard lock(mutex_);
    return deadline_ns_;
  }
  size_t open() const {
    std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  void SetStatus(Role role, bool ready) {
    std::lock_guard lock(mutex_);
    role_ = role;
    ready_ = ready;
  }

  void Propose(std::string batch, uint64_t count, int64_t deadline_ns,
               ProposeCallback done) override {
    ProposeResult result;
    {
      std::lock_guard lock(mutex_);
      deadline_ns_ = deadline_ns;
      result.fate = fate_;
      if (fate_ == Fate::kApplied) {
        const absl::Status applied = ledger_.Apply(
            ledger::EncodeEntry({.time_ms = 0, .count = count}, batch), &result.outcomes);
        BANK_CHECK(applied.ok()) << applied;
        BANK_CHECK(result.outcomes.size() == count) << result.outcomes.size();
      } else {
        result.reason = "the test says so";
      }
      if (held_) {
        waiting_.emplace_back(std::move(done), std::move(result));
        return;
      }
    }
    done(std::move(result));
  }

  void ReadBarrier(int64_t, ReadCallback done) override {
    absl::Status status;
    {
      std::lock_guard lock(mutex_);
      status = read_;
    }
    done(status);
  }

  void WaitApplied(Position position, int64_t, ReadCallback done) override {
    const bool there = GetStatus().ledger.position >= position;
    done(there ? absl::OkStatus() : absl::DeadlineExceededError("not applied yet"));
  }

  ledger::Outcome Query(std::string_view account) const override {
    std::lock_guard lock(mutex_);
    return ledger_.Query(account);
  }

  ReplicatorStatus GetStatus() const override {
    std::lock_guard lock(mutex_);
    ReplicatorStatus status;
    status.role = role_;
    status.term = Term(1);
    status.leader = BranchId(1);
    status.ready = ready_;
    status.ledger = ledger_.summary();
    return status;
  }

 private:
  using Waiting = std::vector<std::pair<ProposeCallback, ProposeResult>>;

  Waiting TakeWaiting() {
    std::lock_guard lock(mutex_);
    held_ = false;
    return std::exchange(waiting_, {});
  }
  static void Complete(Waiting waiting) {
    for (auto& [done, result] : waiting) done(std::move(result));
  }

  mutable std::mutex mutex_;
  ledger::Ledger ledger_;
  Fate fate_ = Fate::kApplied;
  absl::Status read_;
  Role role_ = Role::kLeader;
  bool ready_ = true;
  bool held_ = false;
  int64_t deadline_ns_ = 0;
  std::vector<std::pair<ProposeCallback, ProposeResult>> waiting_;
};

}  // namespace bank::replication
