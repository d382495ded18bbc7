// The replicator's contract as one suite, for every implementation of the interface.
//
// Goal: what branch/replication/replicator.h promises holds on whatever is behind it. Method: a
// factory makes a bank of several branches; the suite talks to them from outside, as a teller
// would, and takes the quorum away and gives it back. To run it on an implementation:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, ReplicatorContract, testing::Values(MakeMemoryCluster));
//
// Every callback is counted; that each came exactly once is checked when the bank is gone.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "branch/replication/replicator.h"
#include "common/clock.h"

namespace bank::replication {

class ReplicatorCluster {
 public:
  virtual ~ReplicatorCluster() = default;
  virtual size_t size() const = 0;  // at least 3
  virtual Replicator& branch(size_t i) = 0;
  virtual void LoseQuorum() = 0;  // from its return on nothing can be decided
  virtual void Heal() = 0;        // ends that; decisions may take a while to come
};

// A bank that is ready: every branch serves and the shared account is founded.
using ClusterFactory = std::unique_ptr<ReplicatorCluster> (*)();

class ReplicatorContract : public testing::TestWithParam<ClusterFactory> {
 protected:
  using Code = ledger::Code;
  using Command = ledger::Command;
  using Kind = ledger::Kind;
  using Outcome = ledger::Outcome;
  static constexpr int64_t kLongNs = 20'000'000'000;  // for what must succeed
  static constexpr int64_t kShortNs = 300'000'000;    // for what must not

  // One call under way, and how often it was answered.
  template <class Result>
  struct Call {
    std::atomic<int> answers{0};
    absl::Notification answered;
    Result result;
    int64_t answered_ns = 0;

    void Answer(Result given) {
      if (answers.fetch_add(1) > 0) return;
      result = std::move(given);
      answered_ns = SteadyClock().NowNs();
      answered.Notify();
    }
    const Result& Await() {
      answered.WaitForNotification();
      return result;
    }
  };
  using Write = Call<ProposeResult>;
  using Read = Call<absl::Status>;

  void SetUp() override {
    cluster_ = GetParam()();
    ASSERT_GE(cluster_->size(), 3u);
    const Outcome opened = Do(0, {.kind = Kind::kOpenSession});
    ASSERT_EQ(opened.code, Code::kOk);
    session_ = SessionId(opened.position.value);
    Command open{.kind = Kind::kOpen, .account = kAccount};
    Key(&open);
    ASSERT_EQ(Do(0, open).code, Code::kOk);
  }
  void TearDown() override {
    cluster_.reset();
    for (const Write& write : writes_) EXPECT_EQ(write.answers.load(), 1);
    for (const Read& read : reads_) EXPECT_EQ(read.answers.load(), 1);
  }

  int64_t In(int64_t ns) const { return clock_.NowNs() + ns; }

  Write& Propose(size_t branch, const std::vector<Command>& commands, int64_t deadline_ns) {
    std::string batch;
    for (const Command& command : commands) ledger::AppendCommand(command, &batch);
    Write& write = writes_.emplace_back();
    cluster_->branch(branch).Propose(
        std::move(batch), commands.size(), deadline_ns,
        [&write](ProposeResult result) { write.Answer(std::move(result)); });
    return write;
  }
  Read& Barrier(size_t branch, int64_t deadline_ns) {
    Read& read = reads_.emplace_back();
    cluster_->branch(branch).ReadBarrier(
        deadline_ns, [&read](absl::Status status) { read.Answer(std::move(status)); });
    return read;
  }
  Read& WaitFor(size_t branch, Position position, int64_t deadline_ns) {
    Read& read = reads_.emplace_back();
    cluster_->branch(branch).WaitApplied(
        position, deadline_ns, [&read](absl::Status status) { read.Answer(std::move(status)); });
    return read;
  }

  // One command that must be applied. A new leader may be needed, and a branch may answer "not
  // applied" until there is one; the key makes asking again harmless.
  Outcome Do(size_t branch, const Command& command) {
    const int64_t give_up_ns = In(kLongNs);
    while (clock_.NowNs() < give_up_ns) {
      const ProposeResult& result = Propose(branch, {command}, give_up_ns).Await();
      if (result.fate != Fate::kApplied) continue;
      EXPECT_EQ(result.outcomes.size(), 1u);
      return result.outcomes.at(0);
    }
    ADD_FAILURE() << "not applied in time";
    return {};
  }

  void Key(Command* command) {
    command->session = session_;
    command->sequence = ++sequence_;
    command->answered_below = 1;
  }
  Command Deposit(int64_t amount) {
    Command command{.kind = Kind::kDeposit, .account = kAccount, .amount = amount};
    Key(&command);
    return command;
  }
  int64_t BalanceAfterBarrier(size_t branch) {
    const absl::Status status = Barrier(branch, In(kLongNs)).Await();
    EXPECT_TRUE(status.ok()) << status;
    return cluster_->branch(branch).Query(kAccount).balance;
  }

  static constexpr std::string_view kAccount = "contract";
  SteadyClock clock_;
  std::unique_ptr<ReplicatorCluster> cluster_;
  std::deque<Write> writes_;
  std::deque<Read> reads_;
  SessionId session_;
  uint64_t sequence_ = 0;
};

TEST_P(ReplicatorContract, AppliesEachCommandOnceInOrder) {
  std::vector<Command> commands;
  for (int64_t amount = 1; amount <= 5; ++amount) commands.push_back(Deposit(amount));
  const ProposeResult result = Propose(1, commands, In(kLongNs)).Await();
  ASSERT_EQ(result.fate, Fate::kApplied) << result.reason;
  ASSERT_EQ(result.outcomes.size(), 5u);
  int64_t balance = 0;
  for (size_t i = 0; i < 5; ++i) {
    balance += static_cast<int64_t>(i) + 1;
    EXPECT_EQ(result.outcomes[i].code, Code::kOk);
    EXPECT_EQ(result.outcomes[i].balance, balance);
    EXPECT_EQ(result.outcomes[i].position, result.outcomes[0].position.Plus(i));
  }
}

TEST_P(ReplicatorContract, ARetryThroughAnyBranchGetsTheFirstOutcome) {
  const Command deposit = Deposit(10);
  const Outcome first = Do(0, deposit);
  for (size_t i = 0; i < cluster_->size(); ++i) {
    const Outcome again = Do(i, deposit);
    EXPECT_EQ(again.position, first.position);
    EXPECT_EQ(again.balance, first.balance);
    EXPECT_TRUE(again.replayed);
  }
  EXPECT_EQ(BalanceAfterBarrier(1), 10);
}

TEST_P(ReplicatorContract, RefusalsAreAnswers) {
  Command withdraw{.kind = Kind::kWithdraw, .account = kAccount, .amount = 1};
  Key(&withdraw);
  Command nobody{.kind = Kind::kDeposit, .account = "nobody", .amount = 1};
  Key(&nobody);
  const ProposeResult result =
      Propose(2, {withdraw, Deposit(0), nobody, Deposit(7)}, In(kLongNs)).Await();
  ASSERT_EQ(result.fate, Fate::kApplied) << result.reason;
  ASSERT_EQ(result.outcomes.size(), 4u);
  EXPECT_EQ(result.outcomes[0].code, Code::kInsufficientFunds);
  EXPECT_EQ(result.outcomes[1].code, Code::kBadAmount);
  EXPECT_EQ(result.outcomes[2].code, Code::kUnknownAccount);
  EXPECT_EQ(result.outcomes[3].code, Code::kOk);
  Do(0, Deposit(100));
  EXPECT_EQ(Do(1, withdraw).code, Code::kInsufficientFunds)
      << "remembered, though it could be paid";
}

TEST_P(ReplicatorContract, AQueryTakesNoPosition) {
  const Outcome before = Do(0, Deposit(3));
  const Outcome query = Do(1, {.kind = Kind::kQuery, .account = kAccount});
  EXPECT_EQ(query.balance, 3);
  EXPECT_EQ(query.position, before.position);
}

// Every branch at once, many in flight: nothing is lost or doubled, and one order holds them all.
TEST_P(ReplicatorContract, AllBranchesWriteAtOnce) {
  constexpr size_t kPerBranch = 200;
  std::vector<Write*> under_way;
  for (size_t n = 0; n < kPerBranch; ++n) {
    for (size_t i = 0; i < cluster_->size(); ++i) {
      under_way.push_back(&Propose(i, {Deposit(1), Deposit(1)}, In(kLongNs)));
    }
  }
  std::set<Position> positions;
  for (Write* write : under_way) {
    const ProposeResult& result = write->Await();
    ASSERT_EQ(result.fate, Fate::kApplied) << result.reason;
    EXPECT_EQ(result.outcomes[1].position, result.outcomes[0].position.Next())
        << "a batch stands in one piece";
    for (const Outcome& outcome : result.outcomes) {
      EXPECT_EQ(outcome.code, Code::kOk);
      EXPECT_TRUE(positions.insert(outcome.position).second) << "one position given twice";
    }
  }
  EXPECT_EQ(positions.rbegin()->value - positions.begin()->value + 1, positions.size());
  for (size_t i = 0; i < cluster_->size(); ++i) {
    EXPECT_EQ(BalanceAfterBarrier(i), static_cast<int64_t>(under_way.size()) * 2);
  }
}

TEST_P(ReplicatorContract, ABarrierSeesEveryAcknowledgedWrite) {
  int64_t balance = 0;
  for (int round = 0; round < 20; ++round) {
    for (size_t writer = 0; writer < cluster_->size(); ++writer) {
      Do(writer, Deposit(1));
      ++balance;
      const size_t reader = (writer + 1 + static_cast<size_t>(round)) % cluster_->size();
      ASSERT_EQ(BalanceAfterBarrier(reader), balance)
          << "writer " << writer << " reader " << reader;
    }
  }
}

TEST_P(ReplicatorContract, WaitAppliedWaitsForThePosition) {
  const Outcome first = Do(0, Deposit(1));
  Read& second = WaitFor(1, first.position.Next(), In(kLongNs));
  EXPECT_FALSE(second.answered.HasBeenNotified());
  for (size_t i = 0; i < cluster_->size(); ++i) {
    EXPECT_TRUE(WaitFor(i, first.position, In(kLongNs)).Await().ok());
    EXPECT_GE(cluster_->branch(i).Query(kAccount).position, first.position);
  }
  Do(2, Deposit(1));
  EXPECT_TRUE(second.Await().ok());
  EXPECT_EQ(cluster_->branch(1).Query(kAccount).balance, 2);
}

TEST_P(ReplicatorContract, WaitAppliedEndsAtItsDeadline) {
  const int64_t deadline_ns = In(kShortNs);
  Read& read = WaitFor(1, Position(1'000'000'000), deadline_ns);
  EXPECT_EQ(read.Await().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_GE(read.answered_ns, deadline_ns);
}

// What is "not applied" never is, what is "unknown" can be asked for, and the money agrees.
TEST_P(ReplicatorContract, WithoutAQuorumNothingIsClaimed) {
  Do(0, Deposit(1'000));
  cluster_->LoseQuorum();
  struct Doubt {
    Command command;
    Write* write;
    int64_t deadline_ns;
  };
  std::vector<Doubt> doubts;
  for (size_t i = 0; i < cluster_->size(); ++i) {
    const Command deposit = Deposit(1);
    const int64_t deadline_ns = In(kShortNs);
    doubts.push_back({deposit, &Propose(i, {deposit}, deadline_ns), deadline_ns});
  }
  std::vector<Read*> barriers;
  for (size_t i = 0; i < cluster_->size(); ++i) barriers.push_back(&Barrier(i, In(kShortNs)));
  for (Doubt& doubt : doubts) {
    const ProposeResult& result = doubt.write->Await();
    ASSERT_NE(result.fate, Fate::kApplied);
    EXPECT_FALSE(result.reason.empty());
    EXPECT_TRUE(result.outcomes.empty());
    if (result.fate == Fate::kUnknown) {
      EXPECT_GE(doubt.write->answered_ns, doubt.deadline_ns) << "given up before its time";
    }
  }
  for (Read* barrier : barriers) {
    EXPECT_TRUE(absl::IsUnavailable(barrier->Await()) || absl::IsDeadlineExceeded(barrier->Await()))
        << barrier->Await();
  }
  EXPECT_EQ(cluster_->branch(0).Query(kAccount).code, Code::kOk) << "local reads go on";

  cluster_->Heal();
  int64_t balance = 1'000;
  for (const Doubt& doubt : doubts) {
    const Outcome resolved = Do(0, {.kind = Kind::kResolve,
                                    .session = doubt.command.session,
                                    .sequence = doubt.command.sequence});
    if (doubt.write->result.fate == Fate::kNotApplied) {
      EXPECT_EQ(resolved.code, Code::kNotApplied);
    }
    if (resolved.code == Code::kOk) ++balance;
    EXPECT_EQ(Do(1, doubt.command).code, resolved.code) << "resolved for all time";
  }
  for (size_t i = 0; i < cluster_->size(); ++i) EXPECT_EQ(BalanceAfterBarrier(i), balance);
}

TEST_P(ReplicatorContract, ADeadlineInThePastIsAnsweredToo) {
  const Command deposit = Deposit(1);
  const ProposeResult& result = Propose(1, {deposit}, In(-1)).Await();
  const Outcome resolved =
      Do(0, {.kind = Kind::kResolve, .session = deposit.session, .sequence = deposit.sequence});
  EXPECT_TRUE(resolved.code == Code::kOk || resolved.code == Code::kNotApplied);
  if (result.fate != Fate::kUnknown) {
    EXPECT_EQ(resolved.code == Code::kOk, result.fate == Fate::kApplied);
  }
  Barrier(1, In(-1)).Await();
  WaitFor(1, Position(1'000'000'000), In(-1)).Await();
}

TEST_P(ReplicatorContract, CallbacksMayCallBack) {
  struct Chain {
    Replicator& replicator;
    std::vector<std::string> batches;
    int64_t deadline_ns;
    absl::Notification done;
    void Next() {
      if (batches.empty()) return done.Notify();
      std::string batch = std::move(batches.back());
      batches.pop_back();
      replicator.Propose(std::move(batch), 1, deadline_ns, [this](ProposeResult result) {
        EXPECT_EQ(result.fate, Fate::kApplied) << result.reason;
        replicator.ReadBarrier(deadline_ns, [this](absl::Status status) {
          EXPECT_TRUE(status.ok()) << status;
          Next();
        });
      });
    }
  };
  Chain chain{cluster_->branch(1), {}, In(kLongNs), {}};
  for (int i = 0; i < 20; ++i) ledger::AppendCommand(Deposit(1), &chain.batches.emplace_back());
  chain.Next();
  chain.done.WaitForNotification();
  EXPECT_EQ(BalanceAfterBarrier(2), 20);
}

TEST_P(ReplicatorContract, StatusTellsWhatIsKnown) {
  const Outcome last = Do(1, Deposit(4));
  ASSERT_TRUE(WaitFor(2, last.position, In(kLongNs)).Await().ok());
  const ReplicatorStatus status = cluster_->branch(2).GetStatus();
  EXPECT_TRUE(status.ready);
  EXPECT_NE(status.leader, BranchId());
  EXPECT_LE(status.applied_index, status.commit_index);
  EXPECT_GE(status.ledger.position, last.position);
  EXPECT_EQ(cluster_->branch(2).Query(ledger::kSharedAccount).code, Code::kOk);
}

}  // namespace bank::replication
