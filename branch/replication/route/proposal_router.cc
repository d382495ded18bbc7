#include "branch/replication/route/proposal_router.h"

#include <algorithm>
#include <utility>

#include "branch/ledger/command.h"

namespace bank::replication {
namespace {

constexpr int64_t kForwardTimeoutMsMax = 600'000;  // whatever another branch asks for

}  // namespace

ProposalRouter::ProposalRouter(BranchId self, const ForwarderOptions& options, const Clock& clock,
                               Peers& peers, LocalReplica& local_replica)
    : self_(self),
      clock_(clock),
      peers_(peers),
      local_replica_(local_replica),
      forwarder_(options, clock, *this),
      read_index_client_(clock, *this) {}

void ProposalRouter::Stop() {
  forwarder_.Stop();
  read_index_client_.Stop();
}

void ProposalRouter::OnForward(ForwardRequest request, ForwardCallback reply) {
  if (request.count > 0 || !request.batch.empty()) {
    if (auto status = ledger::ValidateBatch(request.batch, request.count); !status.ok()) {
      return reply({Fate::kNotApplied, {}, std::string(status.message()), {}, {}});
    }
  }
  request.timeout_ms = std::clamp<int64_t>(request.timeout_ms, 1, kForwardTimeoutMsMax);
  Decide(std::move(request), std::move(reply));
}

void ProposalRouter::Decide(ForwardRequest request, ForwardCallback reply) {
  const int64_t deadline_ms = clock_.NowMs() + request.timeout_ms;
  if (!request.read_index) {
    local_replica_.Propose(
        std::move(request.batch), request.count, deadline_ms,
        [this, reply = std::move(reply)](ProposeResult result) mutable {
          const BranchId leader =
              result.fate == Fate::kApplied ? BranchId(0) : local_replica_.leader();
          reply({result.fate, std::move(result.outcomes), std::move(result.reason), {}, leader});
        });
    return;
  }
  // The index first: the order does not matter to either, and mostly there is nothing to propose.
  local_replica_.ReadIndex(deadline_ms, [this, request = std::move(request),
                                         reply = std::move(reply)](
                                            absl::StatusOr<LogIndex> index) mutable {
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
      result.leader = local_replica_.leader();
    }
    reply(std::move(result));
  });
}

void ProposalRouter::Submit(BranchId leader, ForwardRequest request, ForwardCallback done) {
  if (leader == self_) {
    Decide(std::move(request), std::move(done));
  } else {
    peers_.Forward(leader, std::move(request), std::move(done));
  }
}

void ProposalRouter::OnStatus(const ReplicatorStatus& status) {
  if (status.leader != leader_) {
    leader_ = status.leader;
    forwarder_.OnLeader(leader_);
  }
  read_index_client_.OnStatus(status.leader, status.applied_index);
}

void ProposalRouter::OnTimer(int64_t now_ns) {
  forwarder_.OnTimer(now_ns);
  read_index_client_.OnTimer(now_ns);
}

int64_t ProposalRouter::NextDeadlineNs() const {
  return std::min(forwarder_.NextDeadlineNs(), read_index_client_.NextDeadlineNs());
}

}  // namespace bank::replication
