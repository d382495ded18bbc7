// Goal: what another branch asks for is checked, and it is told no more than the driver knows.
// Method: a driver that answers as the test says; no other branch.
#include "branch/replication/route/dispatcher.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "branch/ledger/command.h"

namespace bank::replication {
namespace {

class FakeOrders final : public Orders {
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

class DispatcherTest : public testing::Test {
 protected:
  static std::string Deposit() {
    std::string batch;
    ledger::AppendCommand({.kind = ledger::Kind::kDeposit, .amount = 1}, &batch);
    return batch;
  }
  ForwardResult Forward(ForwardRequest request) {
    std::optional<ForwardResult> result;
    dispatcher_.OnForward(std::move(request), [&](ForwardResult r) { result = std::move(r); });
    return result.value();
  }

  SteadyClock clock_;
  MutePeers peers_;
  FakeOrders orders_;
  Dispatcher dispatcher_{BranchId(1), {}, clock_, peers_, orders_};
};

TEST_F(DispatcherTest, FatesAreHandedOnAsTheyAre) {
  for (const Fate fate : {Fate::kNotApplied, Fate::kUnknown}) {
    orders_.fate = fate;
    const ForwardResult result = Forward({.batch = Deposit(), .count = 1});
    EXPECT_EQ(result.fate, fate);
    EXPECT_EQ(result.leader, BranchId(3));
  }
}

// In the log they would stop every branch.
TEST_F(DispatcherTest, MalformedBatchesAreNotProposed) {
  for (ForwardRequest request :
       {ForwardRequest{.batch = "junk", .count = 1}, ForwardRequest{.batch = Deposit(), .count = 2},
        ForwardRequest{.batch = Deposit(), .count = 0}, ForwardRequest{.batch = "", .count = 1}}) {
    EXPECT_EQ(Forward(std::move(request)).fate, Fate::kNotApplied);
  }
  EXPECT_EQ(orders_.proposals, 0);
}

TEST_F(DispatcherTest, AnIndexThatNoQuorumConfirmedIsNotGiven) {
  for (const uint64_t count : {0, 1}) {
    ForwardRequest request{.batch = count == 0 ? "" : Deposit(), .count = count};
    request.read_index = true;
    orders_.index = absl::UnavailableError("no quorum");
    EXPECT_EQ(Forward(request).read_index, LogIndex(0));
    orders_.index = LogIndex(7);
    EXPECT_EQ(Forward(request).read_index, LogIndex(7));
  }
}

}  // namespace
}  // namespace bank::replication
