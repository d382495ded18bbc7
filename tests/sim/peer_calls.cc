#include "tests/sim/peer_calls.h"

#include <algorithm>
#include <utility>

#include "tests/sim/branch_process.h"

namespace bank::sim {

void PeerCalls::Send(BranchId, replication::Message) {
  world_.Violate("a message between drivers does not come from the dispatcher");
}

void PeerCalls::Forward(BranchId leader, replication::ForwardRequest request,
                        replication::ForwardCallback done) {
  ++(request.read_index ? world_.statistics.reads_through_follower
                        : world_.statistics.batches_forwarded);
  const uint64_t number = ++calls_;
  open_.emplace(number, std::move(done));
  if (random_.Permille(5)) {  // the stream is just being opened again
    return branch_.Later(0, [this, number] { Break(number, replication::Fate::kNotApplied); });
  }
  const int64_t broken_after_ms = std::min(request.timeout_ms, random_.Between(50, 1500));
  branch_.Later(broken_after_ms * kMillisecond,
                [this, number] { Break(number, replication::Fate::kUnknown); });
  BranchProcess* const receiver = world_.branches[leader.value - 1];
  world_.network.Send(branch_.node(), receiver->node(), Lane::kForward, 0,
                      [receiver, caller = PeerCaller{branch_.id(), branch_.life(), number},
                       request = std::move(request)]() mutable {
                        receiver->OnForward(caller, std::move(request));
                      });
}

void PeerCalls::Break(uint64_t number, replication::Fate fate) {
  replication::ForwardResult result;
  result.fate = fate;
  OnReply(number, std::move(result));
}

void PeerCalls::OnReply(uint64_t number, replication::ForwardResult result) {
  const auto it = open_.find(number);
  if (it == open_.end()) return;  // broken, or answered
  replication::ForwardCallback done = std::move(it->second);
  open_.erase(it);
  done(std::move(result));
}

}  // namespace bank::sim
