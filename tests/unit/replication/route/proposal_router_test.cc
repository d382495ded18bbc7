// Goal: what another branch asks for is checked, and it is told no more than the driver knows.
// Method: a driver that answers as the test says; no other branch.
#include "branch/replication/route/proposal_router.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "branch/ledger/command.h"

namespace bank::replication {
namespace {

class FakeLocalReplica final : public LocalReplica {
 public:
  void Propose(std::string, uint64_t, int64_t, Replicator::ProposeCallback done) override {
    ++proposals;
    done({fate, {}, "because"});
  }
  void ReadIndex(int64_t, ReadIndexCallback done) override { done(index); }
  BranchId leader() const override { return BranchId(3); }
  void WakeBy(int64_t) override {}

  int proposals = 0;
  Fate fate = Fate::kUnknown;
  absl::StatusOr<LogIndex> index = absl::UnavailableError("no quorum");
};

class MutePeers final : public Peers {
 public:
  void Send(BranchId, Message) override {}
  void Forward(BranchId, ForwardRequest, ForwardCallback done) override { done({}); }
};

class ProposalRouterTest : public testing::Test {
 protected:
  static std::string Deposit() {
    std::string batch;
    ledger::AppendCommand({.kind = ledger::Kind::kDeposit, .amount = 1}, &batch);
    return batch;
  }
  ForwardResult Forward(ForwardRequest request) {
    std::optional<ForwardResult> result;
    router_.OnForward(std::move(request), [&](ForwardResult r) { result = std::move(r); });
    return result.value();
  }

  SteadyClock clock_;
  MutePeers peers_;
  FakeLocalReplica local_replica_;
  ProposalRouter router_{BranchId(1), {}, clock_, peers_, local_replica_};
};

TEST_F(ProposalRouterTest, FatesAreHandedOnAsTheyAre) {
  for (const Fate fate : {Fate::kNotApplied, Fate::kUnknown}) {
    local_replica_.fate = fate;
    const ForwardResult result = Forward({.batch = Deposit(), .count = 1});
    EXPECT_EQ(result.fate, fate);
    EXPECT_EQ(result.leader, BranchId(3));
  }
}

// In the log they would stop every branch.
TEST_F(ProposalRouterTest, MalformedBatchesAreNotProposed) {
  for (ForwardRequest request :
       {ForwardRequest{.batch = "junk", .count = 1}, ForwardRequest{.batch = Deposit(), .count = 2},
        ForwardRequest{.batch = Deposit(), .count = 0}, ForwardRequest{.batch = "", .count = 1}}) {
    EXPECT_EQ(Forward(std::move(request)).fate, Fate::kNotApplied);
  }
  EXPECT_EQ(local_replica_.proposals, 0);
}

TEST_F(ProposalRouterTest, AnIndexThatNoQuorumConfirmedIsNotGiven) {
  for (const uint64_t count : {0, 1}) {
    ForwardRequest request{.batch = count == 0 ? "" : Deposit(), .count = count};
    request.read_index = true;
    local_replica_.index = absl::UnavailableError("no quorum");
    EXPECT_EQ(Forward(request).read_index, LogIndex(0));
    local_replica_.index = LogIndex(7);
    EXPECT_EQ(Forward(request).read_index, LogIndex(7));
  }
}

}  // namespace
}  // namespace bank::replication
