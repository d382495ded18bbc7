#include "branch/replication/raft/raft_replicator.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "branch/ledger/command.h"

namespace bank::replication {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kForwardTimeoutMsMax = 600'000;  // whatever another branch asks for

}  // namespace

RaftReplicator::RaftReplicator(const RaftOptions& options, storage::Storage& storage,
                               const Clock& clock, Peers& peers, FatalHandler on_fatal)
    : self_(options.driver.self),
      driver_options_(options.driver),
      storage_(storage),
      clock_(clock),
      peers_(peers),
      forwarder_(options.forwarder, clock, *this),
      read_gate_(clock, *this),
      loop_(options.driver, storage, clock, peers, *this, std::move(on_fatal)) {}

RaftReplicator::~RaftReplicator() { Stop(); }

absl::Status RaftReplicator::Start(storage::Recovered recovered) {
  const bool founder = std::any_of(driver_options_.founders.begin(), driver_options_.founders.end(),
                                   [this](const Member& m) { return m.id == self_; });
  // The vote is written last: a founding that was cut short is simply done again.
  if (founder && !recovered.rebuilding && recovered.hard_state.term.value == 0 &&
      !recovered.snapshot.has_value() && recovered.entries.size() <= 1) {
    recovered = Driver::Founding(driver_options_);
    if (auto s = storage_.Append(recovered.first_index, recovered.entries); !s.ok()) return s;
    if (auto s = storage_.Sync(); !s.ok()) return s;
    if (auto s = storage_.WriteHardState(recovered.hard_state); !s.ok()) return s;
  }
  return loop_.Start(std::move(recovered));
}

void RaftReplicator::Stop() {
  forwarder_.Stop();
  read_gate_.Stop();
  loop_.Stop();
}

void RaftReplicator::Propose(std::string batch, uint64_t count, int64_t deadline_ns,
                             ProposeCallback done) {
  forwarder_.Propose(std::move(batch), count, deadline_ns, std::move(done));
}

void RaftReplicator::ReadBarrier(int64_t deadline_ns, ReadCallback done) {
  read_gate_.Enter(deadline_ns, std::move(done));
}

void RaftReplicator::WaitApplied(Position position, int64_t deadline_ns, ReadCallback done) {
  if (loop_.GetStatus().ledger.position >= position) return done(absl::OkStatus());
  const int64_t deadline_ms = deadline_ns / kNsPerMs + 1;  // never before its time
  loop_.WaitPosition(position, deadline_ms, std::move(done));
}

ledger::Outcome RaftReplicator::Query(std::string_view account) const {
  return loop_.Query(account);
}

ReplicatorStatus RaftReplicator::GetStatus() const { return loop_.GetStatus(); }

void RaftReplicator::TakeSnapshot(int64_t deadline_ns, ReadCallback done) {
  loop_.TakeSnapshot(deadline_ns / kNsPerMs + 1, std::move(done));
}

void RaftReplicator::TransferLeadership(BranchId to, Loop::TransferCallback done) {
  loop_.TransferLeadership(to, std::move(done));
}

void RaftReplicator::OnMessage(BranchId from, Message message) {
  loop_.OnMessage(from, std::move(message));
}

void RaftReplicator::OnForward(BranchId /*from*/, ForwardRequest request, ForwardCallback reply) {
  // What came over the network is checked before it can reach the log.
  if (request.count > 0 || !request.batch.empty()) {
    if (auto status = ledger::ValidateBatch(request.batch, request.count); !status.ok()) {
      return reply({Fate::kNotApplied, {}, std::string(status.message()), {}, {}});
    }
  }
  request.timeout_ms = std::clamp<int64_t>(request.timeout_ms, 1, kForwardTimeoutMsMax);
  Decide(std::move(request), std::move(reply));
}

void RaftReplicator::Decide(ForwardRequest request, ForwardCallback reply) {
  const int64_t deadline_ms = clock_.NowMs() + request.timeout_ms;
  if (!request.read_index) {
    loop_.Propose(
        std::move(request.batch), request.count, deadline_ms,
        [this, reply = std::move(reply)](ProposeResult result) mutable {
          const BranchId leader =
              result.fate == Fate::kApplied ? BranchId(0) : loop_.GetStatus().leader;
          reply({result.fate, std::move(result.outcomes), std::move(result.reason), {}, leader});
        });
    return;
  }
  // The index first: the order does not matter to either, and mostly there is nothing to propose.
  loop_.ReadIndex(deadline_ms, [this, request = std::move(request),
                                reply = std::move(reply)](absl::StatusOr<LogIndex> index) mutable {
    if (request.count > 0) {
      request.read_index = false;
      return Decide(std::move(request), [index = index.value_or(LogIndex(0)),
                                         reply = std::move(reply)](ForwardResult result) mutable {
        result.read_index = index;
        reply(std::move(result));
      });
    }
    ForwardResult result;
    result.fate = Fate::kNotApplied;
    if (index.ok()) {
      result.read_index = *index;
    } else {
      result.reason = std::string(index.status().message());
      result.leader = loop_.GetStatus().leader;
    }
    reply(std::move(result));
  });
}

void RaftReplicator::Submit(BranchId leader, ForwardRequest request, ForwardCallback done) {
  if (leader == self_) {
    Decide(std::move(request), std::move(done));
  } else {
    peers_.Forward(leader, std::move(request), std::move(done));
  }
}

void RaftReplicator::WakeBy(int64_t deadline_ns) { loop_.WakeBy(deadline_ns); }

void RaftReplicator::OnStatus(const ReplicatorStatus& status) {
  if (status.leader != leader_) {
    leader_ = status.leader;
    forwarder_.OnLeader(leader_);
  }
  read_gate_.OnStatus(status.leader, status.applied_index);
}

void RaftReplicator::OnTimer(int64_t now_ns) {
  forwarder_.OnTimer(now_ns);
  read_gate_.OnTimer(now_ns);
}

int64_t RaftReplicator::NextDeadlineNs() const {
  return std::min(forwarder_.NextDeadlineNs(), read_gate_.NextDeadlineNs());
}

}  // namespace bank::replication
