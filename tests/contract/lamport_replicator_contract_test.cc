// The contract on three branches by logical clocks, in one process.
#include <memory>
#include <vector>

#include "branch/replication/lamport/runtime/lamport_replicator.h"
#include "common/clock.h"
#include "net/task_queue.h"
#include "tests/contract/replicator_contract.h"

namespace bank::replication {
namespace {

using lamport::LamportReplicator;

// Calls go from thread to thread, as over a network; cut off, none arrives.
class InProcess final : public lamport::Transport {
 public:
  explicit InProcess(const Clock& clock) : wire_(clock) {}

  void Join(BranchId id, LamportReplicator* branch) { branches_[id] = branch; }
  void Cut(bool cut) { cut_ = cut; }
  void Stop() { wire_.Stop(); }

  void Exchange(BranchId to, lamport::Request request, Done done) override {
    wire_.Post([this, to, request = std::move(request), done = std::move(done)]() mutable {
      if (cut_) return done(absl::UnavailableError("cut off"));
      done(branches_.at(to)->OnRequest(std::move(request)));
    });
  }

 private:
  std::map<BranchId, LamportReplicator*> branches_;
  std::atomic<bool> cut_ = false;
  net::TaskQueue wire_;  // last: it uses all of the above
};

class LamportCluster final : public ReplicatorCluster {
 public:
  LamportCluster() {
    for (uint64_t id = 1; id <= 3; ++id) {
      lamport::CoreOptions options;
      options.self = BranchId(id);
      options.members = {BranchId(1), BranchId(2), BranchId(3)};
      branches_.push_back(std::make_unique<LamportReplicator>(options, clock_, transport_));
      transport_.Join(options.self, branches_.back().get());
    }
    for (auto& branch : branches_) branch->Start();
    std::string batch;
    ledger::AppendCommand(
        {.kind = ledger::Kind::kOpen, .account = ledger::kSharedAccount, .amount = 400}, &batch);
    Fate fate = Fate::kNotApplied;
    while (fate != Fate::kApplied) {  // until all have heard of each other
      absl::Notification done;
      branches_[0]->Propose(batch, 1, clock_.NowNs() + 20 * kNsPerS, [&](ProposeResult result) {
        fate = result.fate;
        done.Notify();
      });
      done.WaitForNotification();
    }
    for (auto& branch : branches_) AwaitFounded(*branch);
  }
  ~LamportCluster() override {
    for (auto& branch : branches_) branch->Stop();
    transport_.Stop();
  }

  size_t size() const override { return branches_.size(); }
  Replicator& branch(size_t i) override { return *branches_[i]; }
  void LoseQuorum() override { transport_.Cut(true); }
  void Heal() override { transport_.Cut(false); }

 private:
  void AwaitFounded(LamportReplicator& branch) {
    absl::Status status = absl::UnavailableError("not asked");
    while (!status.ok()) {  // not joined yet
      absl::Notification done;
      branch.WaitApplied(Position(1), clock_.NowNs() + 20 * kNsPerS, [&](absl::Status answer) {
        status = std::move(answer);
        done.Notify();
      });
      done.WaitForNotification();
    }
  }

  SteadyClock clock_;
  InProcess transport_{clock_};
  std::vector<std::unique_ptr<LamportReplicator>> branches_;
};

std::unique_ptr<ReplicatorCluster> MakeLamportCluster() {
  return std::make_unique<LamportCluster>();
}

INSTANTIATE_TEST_SUITE_P(Lamport, ReplicatorContract, testing::Values(MakeLamportCluster));

}  // namespace
}  // namespace bank::replication
