// Goal: what a branch sends another through peers.h is answered exactly once, and never with "not
// applied" what may be applied, over gRPC as in the simulation, whose verdicts stand on it.
// Method: one suite on a bank of three real branches and on one of three simulated ones. A branch
// forwards batches while it is well, and while it is cut off from the others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <mutex>

#include "branch/ledger/command.h"
#include "tests/sim/auditor.h"
#include "tests/sim/branch_process.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/operator.h"
#include "tests/support/raft_cluster.h"

namespace bank::replication {
namespace {

class Real {
 public:
  size_t Leader() { return cluster_.AwaitLeader(); }
  Peers& of(size_t branch) { return cluster_.peers(branch); }
  void Cut(size_t branch, bool cut) { cluster_.Cut(branch, cut); }
  bool Await(const std::function<bool()>& condition) { return RaftCluster::Await(condition); }
  bool Has(size_t branch, std::string_view account) {
    return cluster_.branch(branch).Query(account).code == ledger::Code::kOk;
  }

 private:
  RaftCluster cluster_;
};

class Simulated {
 public:
  Simulated() {
    world_.auditor = &auditor_;
    DriverOptions driver;
    for (uint64_t i = 1; i <= 3; ++i) {
      driver.initial_members.push_back({BranchId(i), "branch" + std::to_string(i), true});
    }
    for (const Member& member : driver.initial_members) {
      driver.self = member.id;
      driver.seed = 7 * member.id.value;
      branches_.push_back(
          std::make_unique<sim::BranchProcess>(world_, driver, storage::StorageOptions()));
      world_.branches.push_back(branches_.back().get());
    }
    operator_ = std::make_unique<sim::Operator>(world_);
    nemesis_ = std::make_unique<sim::Nemesis>(world_, *operator_);
    world_.nemesis = nemesis_.get();
    for (auto& branch : branches_) branch->Start();
    nemesis_->Heal();  // it does nothing from now on
  }
  ~Simulated() { EXPECT_EQ(world_.violation, ""); }

  size_t Leader() {
    size_t leader = 0;
    EXPECT_TRUE(Await([&] {
      for (leader = 0; leader < branches_.size(); ++leader) {
        const BranchId id = branches_[leader]->id();
        if (branches_[leader]->status().role == Role::kLeader &&
            std::all_of(branches_.begin(), branches_.end(),
                        [&](const auto& branch) { return branch->status().leader == id; })) {
          return true;
        }
      }
      return false;
    }));
    return leader;
  }
  Peers& of(size_t branch) { return branches_[branch]->peers(); }
  void Cut(size_t branch, bool cut) {
    for (size_t other = 0; other < branches_.size(); ++other) {
      if (other == branch) continue;
      for (const auto& [from, to] : {std::pair(branch, other), std::pair(other, branch)}) {
        cut ? world_.network.Cut(from + 1, to + 1) : world_.network.Mend(from + 1, to + 1);
      }
    }
  }
  bool Await(const std::function<bool()>& condition) {
    const sim::SimTime until = world_.scheduler.now() + 60 * sim::kSecond;
    while (!condition()) {
      if (!world_.scheduler.RunOne(until)) return condition();
    }
    return true;
  }
  bool Has(size_t branch, std::string_view account) {
    return branches_[branch]->ledger().Query(account).code == ledger::Code::kOk;
  }

 private:
  sim::World world_{/*seed=*/1, /*print_trace=*/false};
  sim::Auditor auditor_{world_};
  std::unique_ptr<sim::Operator> operator_;
  std::unique_ptr<sim::Nemesis> nemesis_;
  std::vector<std::unique_ptr<sim::BranchProcess>> branches_;
};

// Request i opens account i: the ledger says which of them were applied.
template <class Bank>
class PeersContract : public ::testing::Test {
 protected:
  PeersContract() {
    leader_ = bank_.Leader();
    asker_ = (leader_ + 1) % 3;
  }

  // The number of the request.
  size_t Forward(size_t to, ForwardRequest request) {
    if (request.timeout_ms == 0) request.timeout_ms = 3'000;
    const size_t number = asked_++;
    bank_.of(asker_).Forward(BranchId(to + 1), std::move(request), [this, number](auto result) {
      std::lock_guard lock(mutex_);
      EXPECT_FALSE(results_.contains(number)) << "answered twice";
      results_[number] = std::move(result);
    });
    return number;
  }
  void Open(size_t to) {
    ForwardRequest request{.batch = {}, .count = 1};
    ledger::AppendCommand({.kind = ledger::Kind::kOpen, .account = std::to_string(asked_)},
                          &request.batch);
    Forward(to, std::move(request));
  }
  ForwardResult AwaitAnswer(size_t number) {
    EXPECT_TRUE(bank_.Await([&] {
      std::lock_guard lock(mutex_);
      return results_.contains(number);
    })) << number;
    std::lock_guard lock(mutex_);
    return results_[number];
  }
  // Of all that were asked so far; and what the ledger holds is what they said.
  std::map<Fate, int> AwaitAll() {
    std::map<Fate, int> fates;
    for (size_t number = 0; number < asked_; ++number) {
      const ForwardResult result = AwaitAnswer(number);
      ++fates[result.fate];
      EXPECT_EQ(result.outcomes.size(), result.fate == Fate::kApplied ? 1u : 0u) << number;
    }
    return fates;
  }
  void ExpectTheLedgerAgrees(size_t branch) {
    for (size_t number = 0; number < asked_; ++number) {
      const Fate fate = AwaitAnswer(number).fate;
      if (fate == Fate::kUnknown) continue;
      EXPECT_EQ(bank_.Has(branch, std::to_string(number)), fate == Fate::kApplied) << number;
    }
  }

  std::mutex mutex_;
  std::map<size_t, ForwardResult> results_;
  size_t asked_ = 0;
  size_t leader_ = 0;
  size_t asker_ = 0;
  Bank bank_;  // first to go: nothing is answered afterwards
};

using Banks = ::testing::Types<Real, Simulated>;
TYPED_TEST_SUITE(PeersContract, Banks);

TYPED_TEST(PeersContract, ABatchIsAppliedAndAnsweredOnce) {
  for (int i = 0; i < 30; ++i) this->Open(this->leader_);
  EXPECT_GT(this->AwaitAll()[Fate::kApplied], 25);
  this->ExpectTheLedgerAgrees(this->leader_);
}

TYPED_TEST(PeersContract, AReadIndexIsWhatWasCommitted) {
  this->Open(this->leader_);
  this->AwaitAll();
  const ForwardResult read =
      this->AwaitAnswer(this->Forward(this->leader_, {.batch = {}, .read_index = true}));
  EXPECT_GE(read.read_index, LogIndex(2));
  EXPECT_NE(read.fate, Fate::kApplied) << "nothing was proposed";
}

TYPED_TEST(PeersContract, WhoDoesNotLeadSaysWhoDoes) {
  const size_t third = 3 - this->leader_ - this->asker_;
  this->Open(third);
  const ForwardResult result = this->AwaitAnswer(0);
  EXPECT_EQ(result.fate, Fate::kNotApplied);
  EXPECT_EQ(result.leader, BranchId(this->leader_ + 1));
}

TYPED_TEST(PeersContract, CutOffEachIsAnsweredAndNotAppliedIsNever) {
  for (int i = 0; i < 5; ++i) this->Open(this->leader_);
  this->bank_.Cut(this->asker_, true);
  for (int i = 0; i < 20; ++i) this->Open(this->leader_);
  EXPECT_LE(this->AwaitAll()[Fate::kApplied], 5) << "of those before the cut";
  this->bank_.Cut(this->asker_, false);
  // Once it has what came after all of them, it has what became of them.
  size_t last = 0;
  do {
    last = this->asked_;
    this->Open(this->leader_);
  } while (this->AwaitAnswer(last).fate != Fate::kApplied);
  EXPECT_TRUE(
      this->bank_.Await([&] { return this->bank_.Has(this->asker_, std::to_string(last)); }));
  this->ExpectTheLedgerAgrees(this->asker_);
}

}  // namespace
}  // namespace bank::replication
