// The contract on one copy in memory.
#include "tests/support/memory_replicator.h"

#include "tests/contract/replicator_contract.h"

namespace bank::replication {
namespace {

class MemoryCluster final : public ReplicatorCluster {
 public:
  size_t size() const override { return bank_.size(); }
  Replicator& branch(size_t i) override { return bank_.branch(i); }
  void LoseQuorum() override { bank_.SetMode(MemoryBank::Mode::kStalled); }
  void Heal() override { bank_.SetMode(MemoryBank::Mode::kServing); }

 private:
  SteadyClock clock_;
  MemoryBank bank_{clock_, 3, 400};
};

std::unique_ptr<ReplicatorCluster> MakeMemoryCluster() { return std::make_unique<MemoryCluster>(); }

INSTANTIATE_TEST_SUITE_P(Memory, ReplicatorContract, testing::Values(MakeMemoryCluster));

}  // namespace
}  // namespace bank::replication
