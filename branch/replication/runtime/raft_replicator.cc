#include "branch/replication/runtime/raft_replicator.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace bank::replication {
RaftReplicator::RaftReplicator(const RaftOptions& options, storage::Storage& storage,
                               const Clock& clock, Peers& peers, FatalHandler on_fatal)
    : driver_options_(options.driver),
      storage_(storage),
      router_(options.driver.self, options.forwarder, clock, peers, replica_),
      replica_(options.driver, storage, clock, peers, router_, std::move(on_fatal)) {}

RaftReplicator::~RaftReplicator() { Stop(); }

absl::Status RaftReplicator::Start(storage::Recovered recovered) {
  const bool initial_member =
      std::any_of(driver_options_.initial_members.begin(), driver_options_.initial_members.end(),
                  [this](const Member& m) { return m.id == driver_options_.self; });
  // The vote is written last: a bootstrap that was cut short is simply done again.
  if (initial_member && !recovered.rebuilding && recovered.hard_state.term.value == 0 &&
      !recovered.snapshot.has_value() && recovered.entries.size() <= 1) {
    recovered = Driver::Bootstrap(driver_options_);
    if (auto s = storage_.Append(recovered.first_index, recovered.entries); !s.ok()) return s;
    if (auto s = storage_.Sync(); !s.ok()) return s;
    if (auto s = storage_.WriteHardState(recovered.hard_state); !s.ok()) return s;
  }
  return replica_.Start(std::move(recovered));
}

void RaftReplicator::Stop() {
  router_.Stop();
  replica_.Stop();
}

void RaftReplicator::Propose(std::string batch, uint64_t count, int64_t deadline_ns,
                             ProposeCallback done) {
  router_.Propose(std::move(batch), count, deadline_ns, std::move(done));
}

void RaftReplicator::ReadBarrier(int64_t deadline_ns, ReadCallback done) {
  router_.ReadBarrier(deadline_ns, std::move(done));
}

void RaftReplicator::WaitApplied(Position position, int64_t deadline_ns, ReadCallback done) {
  if (replica_.GetStatus().ledger.position >= position) return done(absl::OkStatus());
  const int64_t deadline_ms = deadline_ns / kNsPerMs + 1;  // never before its time
  replica_.WaitPosition(position, deadline_ms, std::move(done));
}

void RaftReplicator::Ping(int64_t deadline_ns, ReadCallback done) {
  replica_.WaitPosition(Position(0), deadline_ns / kNsPerMs + 1, std::move(done));
}

ledger::Outcome RaftReplicator::Query(std::string_view account) const {
  return replica_.Query(account);
}

ReplicatorStatus RaftReplicator::GetStatus() const { return replica_.GetStatus(); }

void RaftReplicator::TakeSnapshot(int64_t deadline_ns, ReadCallback done) {
  replica_.TakeSnapshot(deadline_ns / kNsPerMs + 1, std::move(done));
}

void RaftReplicator::TransferLeadership(BranchId to, ReadCallback done) {
  replica_.TransferLeadership(to, std::move(done));
}

void RaftReplicator::ReadLedger(absl::FunctionRef<void(const ledger::Ledger&)> read) const {
  replica_.ReadLedger(read);
}

void RaftReplicator::OnMessage(BranchId from, Message message) {
  replica_.OnMessage(from, std::move(message));
}

void RaftReplicator::OnConnectionLost(BranchId from) { replica_.OnConnectionLost(from); }

void RaftReplicator::OnForward(BranchId /*from*/, ForwardRequest request, ForwardCallback reply) {
  router_.OnForward(std::move(request), std::move(reply));
}

}  // namespace bank::replication
