// Goal: the raft replicator keeps the contract on every branch, over real threads and sockets.
#include "tests/contract/replicator_contract.h"
#include "tests/support/raft_cluster.h"

namespace bank::replication {
namespace {

class Cluster final : public ReplicatorCluster {
 public:
  size_t size() const override { return cluster_.size(); }
  Replicator& branch(size_t i) override { return cluster_.branch(i); }
  void LoseQuorum() override {
    for (size_t i = 0; i < cluster_.size(); ++i) cluster_.Cut(i, true);
  }
  void Heal() override {
    for (size_t i = 0; i < cluster_.size(); ++i) cluster_.Cut(i, false);
  }

 private:
  RaftCluster cluster_;
};

std::unique_ptr<ReplicatorCluster> MakeRaftCluster() { return std::make_unique<Cluster>(); }

INSTANTIATE_TEST_SUITE_P(Raft, ReplicatorContract, testing::Values(MakeRaftCluster));

}  // namespace
}  // namespace bank::replication
