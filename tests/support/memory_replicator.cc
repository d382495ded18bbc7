#include "tests/support/memory_replicator.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "common/check.h"

namespace bank::replication {

class MemoryBank::Branch final : public Replicator {
 public:
  Branch(MemoryBank& bank, size_t number) : bank_(bank), number_(number) {}

  void Propose(std::string batch, uint64_t count, int64_t deadline_ns,
               ProposeCallback done) override {
    bank_.Propose(std::move(batch), count, deadline_ns, std::move(done));
  }
  void ReadBarrier(int64_t deadline_ns, ReadCallback done) override {
    bank_.AddRead({Position(), true, deadline_ns, std::move(done)});
  }
  void WaitApplied(Position position, int64_t deadline_ns, ReadCallback done) override {
    bank_.AddRead({position, false, deadline_ns, std::move(done)});
  }
  ledger::Outcome Query(std::string_view account) const override { return bank_.Query(account); }
  ReplicatorStatus GetStatus() const override { return bank_.GetStatus(number_); }

 private:
  MemoryBank& bank_;
  const size_t number_;
};

MemoryBank::MemoryBank(const Clock& clock, size_t branches, int64_t initial_balance,
                       ledger::Limits limits)
    : clock_(clock), ledger_(limits) {
  for (size_t i = 0; i < branches; ++i) branches_.push_back(std::make_unique<Branch>(*this, i));
  std::string founding;
  ledger::AppendCommand(
      {.kind = ledger::Kind::kOpen, .account = ledger::kSharedAccount, .amount = initial_balance},
      &founding);
  Propose(std::move(founding), 1, std::numeric_limits<int64_t>::max(), [](ProposeResult result) {
    BANK_CHECK(result.fate == Fate::kApplied);
    BANK_CHECK(result.outcomes.at(0).code == ledger::Code::kOk);
  });
  timer_ = std::thread([this] { WatchDeadlines(); });
}

MemoryBank::~MemoryBank() {
  Completions completions;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  timer_.join();
  {
    absl::MutexLock lock(&mutex_);
    for (Proposal& proposal : stalled_) {
      if (proposal.done == nullptr) continue;
      completions.push_back([done = std::move(proposal.done)]() mutable {
        done({Fate::kUnknown, {}, "the branch stops"});
      });
    }
    for (Read& read : reads_) {
      completions.push_back([done = std::move(read.done)]() mutable {
        done(absl::UnavailableError("the branch stops"));
      });
    }
    stalled_.clear();
    reads_.clear();
  }
  Run(std::move(completions));
}

void MemoryBank::SetMode(Mode mode) {
  Completions completions;
  {
    absl::MutexLock lock(&mutex_);
    mode_ = mode;
    if (mode == Mode::kServing) {
      for (Proposal& proposal : stalled_) Apply(std::move(proposal), &completions);
      stalled_.clear();
    }
    CompleteReads(&completions);
  }
  Run(std::move(completions));
}

uint64_t MemoryBank::proposals() const {
  absl::MutexLock lock(&mutex_);
  return proposals_;
}

void MemoryBank::Propose(std::string batch, uint64_t count, int64_t deadline_ns,
                         Replicator::ProposeCallback done) {
  Completions completions;
  {
    absl::MutexLock lock(&mutex_);
    ++proposals_;
    Proposal proposal{std::move(batch), count, deadline_ns, std::move(done)};
    if (mode_ == Mode::kServing) {
      Apply(std::move(proposal), &completions);
      CompleteReads(&completions);
    } else if (mode_ == Mode::kStalled) {
      stalled_.push_back(std::move(proposal));
      changed_.SignalAll();
    } else {
      completions.push_back([refused = std::move(proposal.done)]() mutable {
        refused({Fate::kNotApplied, {}, "no leader is known"});
      });
    }
  }
  Run(std::move(completions));
}

void MemoryBank::Apply(Proposal proposal, Completions* completions) {
  const int64_t time_ms = clock_.NowMs();
  ProposeResult result;
  const absl::Status status = ledger_.Apply(
      ledger::EncodeEntry({time_ms, proposal.count}, proposal.batch), &result.outcomes);
  if (status.ok()) {
    index_ = index_.Next();
    result.fate = Fate::kApplied;
  } else {
    result.fate = Fate::kNotApplied;
    result.reason = std::string(status.message());
  }
  if (proposal.done == nullptr) return;
  completions->push_back([done = std::move(proposal.done), result = std::move(result)]() mutable {
    done(std::move(result));
  });
}

void MemoryBank::AddRead(Read read) {
  Completions completions;
  {
    absl::MutexLock lock(&mutex_);
    reads_.push_back(std::move(read));
    CompleteReads(&completions);
    changed_.SignalAll();
  }
  Run(std::move(completions));
}

void MemoryBank::CompleteReads(Completions* completions) {
  reads_.remove_if([&](Read& read) {
    const bool refused = read.barrier && mode_ == Mode::kRefusing;
    const bool waits = read.barrier ? mode_ == Mode::kStalled : ledger_.position() < read.position;
    if (waits) return false;
    completions->push_back([done = std::move(read.done), refused]() mutable {
      done(refused ? absl::UnavailableError("no leader is known") : absl::OkStatus());
    });
    return true;
  });
}

void MemoryBank::CompleteLate(Completions* completions) {
  const int64_t now_ns = clock_.NowNs();
  for (Proposal& proposal : stalled_) {
    if (proposal.done == nullptr || proposal.deadline_ns > now_ns) continue;
    completions->push_back([done = std::move(proposal.done)]() mutable {
      done({Fate::kUnknown, {}, "no quorum before the deadline"});
    });
    proposal.done = nullptr;
  }
  reads_.remove_if([&](Read& read) {
    if (read.deadline_ns > now_ns) return false;
    completions->push_back([done = std::move(read.done)]() mutable {
      done(absl::DeadlineExceededError("time ran out"));
    });
    return true;
  });
}

void MemoryBank::WatchDeadlines() {
  mutex_.Lock();
  while (!stopping_) {
    Completions completions;
    CompleteLate(&completions);
    if (!completions.empty()) {
      mutex_.Unlock();
      Run(std::move(completions));
      mutex_.Lock();
      continue;
    }
    int64_t next_ns = std::numeric_limits<int64_t>::max();
    for (const Proposal& proposal : stalled_) {
      if (proposal.done != nullptr) next_ns = std::min(next_ns, proposal.deadline_ns);
    }
    for (const Read& read : reads_) next_ns = std::min(next_ns, read.deadline_ns);
    if (next_ns == std::numeric_limits<int64_t>::max()) {
      changed_.Wait(&mutex_);
    } else {
      changed_.WaitWithTimeout(&mutex_, absl::Nanoseconds(next_ns - clock_.NowNs()));
    }
  }
  mutex_.Unlock();
}

ledger::Outcome MemoryBank::Query(std::string_view account) const {
  absl::MutexLock lock(&mutex_);
  return ledger_.Query(account);
}

ReplicatorStatus MemoryBank::GetStatus(size_t branch) const {
  absl::MutexLock lock(&mutex_);
  ReplicatorStatus status;
  status.role = branch == 0 ? Role::kLeader : Role::kFollower;
  status.term = Term(1);
  status.leader = BranchId(1);
  status.commit_index = status.applied_index = status.last_index = index_;
  status.ready = mode_ == Mode::kServing;
  status.ledger = ledger_.summary();
  return status;
}

void MemoryBank::Run(Completions completions) {
  for (auto& completion : completions) completion();
}

}  // namespace bank::replication
