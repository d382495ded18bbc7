// A replicator of one: the real ledger, no log, and whatever fate a test wants.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "branch/ledger/ledger.h"
#include "branch/replication/replica_admin.h"
#include "branch/replication/replicator.h"
#include "common/check.h"

namespace bank::replication {

class FakeReplicator final : public Replicator, public ReplicaAdmin {
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
  // Returns when so many more reads have been asked for.
  void AwaitReads(uint64_t count) {
    std::unique_lock lock(mutex_);
    read_asked_.wait(lock, [&, enough = reads_ + count] { return reads_ >= enough; });
  }
  size_t open() const {
    std::lock_guard lock(mutex_);
    return waiting_.size();
  }
  void SetStatus(Role role, bool ready) {
    std::lock_guard lock(mutex_);
    status_.role = role;
    status_.ready = ready;
  }
  void SetStatus(ReplicatorStatus status) {
    std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }
  // What an operator's calls do; they succeed at once by default. Set before the call.
  std::function<void(Done done)> take_snapshot = [](Done done) { done(absl::OkStatus()); };
  std::function<void(BranchId to, Done done)> transfer_leadership = [](BranchId, Done done) {
    done(absl::OkStatus());
  };
  // One command at a time, as TestLedger::Do().
  ledger::Outcome Do(const ledger::Command& command) {
    std::string batch;
    ledger::AppendCommand(command, &batch);
    ledger::Outcome outcome;
    Propose(std::move(batch), 1, INT64_MAX,
            [&](const ProposeResult& result) { outcome = result.outcomes.at(0); });
    return outcome;
  }

  void TakeSnapshot(int64_t, Done done) override { take_snapshot(std::move(done)); }
  void TransferLeadership(BranchId to, Done done) override {
    transfer_leadership(to, std::move(done));
  }
  std::string_view replicator_name() const override { return "fake"; }
  void ReadLedger(absl::FunctionRef<void(const ledger::Ledger&)> read) const override {
    std::lock_guard lock(mutex_);
    read(ledger_);
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
      ++reads_;
    }
    read_asked_.notify_all();
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
    ReplicatorStatus status = status_;
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
  uint64_t reads_ = 0;
  std::condition_variable read_asked_;
  ReplicatorStatus status_ = [] {
    ReplicatorStatus leads;
    leads.role = Role::kLeader;
    leads.term = Term(1);
    leads.leader = BranchId(1);
    leads.ready = true;
    return leads;
  }();
  bool held_ = false;
  int64_t deadline_ns_ = 0;
  std::vector<std::pair<ProposeCallback, ProposeResult>> waiting_;
};

}  // namespace bank::replication
