#include "tests/sim/hostile_peer.h"

#include <utility>

namespace bank::sim {
namespace {

using replication::ReplicatorStatus;

constexpr Term kTermOutOfReach(replication::kTermMax);

}  // namespace

HostilePeer::HostilePeer(World& world) : world_(world), random_(world.random.Fork()) {}

void HostilePeer::Think() {
  world_.scheduler.After(random_.Between(1, 60) * kMillisecond, [this] {
    Act();
    Think();
  });
}

void HostilePeer::Act() {
  BranchProcess& told = *random_.Pick(world_.branches);
  BranchId from = random_.Pick(world_.branches)->id();
  const BranchId leader = told.status().leader;
  if (leader != BranchId(0) && random_.OneIn(2)) from = leader;
  if (from == told.id() || !told.up() || told.paused()) return;
  if (disrupts_ && random_.OneIn(20)) {
    Disrupt(told, from);
  } else {
    Lie(told, from);
  }
}

void HostilePeer::Lie(BranchProcess& told, BranchId from) {
  const ReplicatorStatus& status = told.status();
  Statistics& count = world_.statistics;
  if (status.bootstrapping && random_.OneIn(2)) {
    // It would be taken into the log of any other branch.
    const Term term = status.term.Plus(random_.Below(2));
    return Tell(told, from, replication::AppendEntries{1, term, LogIndex(0), Term(0), {}, {}},
                &count.lies_of_a_leader);
  }
  const uint64_t dice = random_.Below(100);
  if (dice < 30) {
    const LogIndex acknowledged = Above(status.last_index);
    Tell(told, from, replication::LogBehindAcknowledged{status.term, acknowledged},
         &count.lies_of_lost_logs);
  } else if (dice < 60) {
    const LogIndex index = Above(told.membership().index);
    Tell(told, from, replication::NoMember{status.term, index}, &count.lies_of_removal);
  } else if (dice < 80) {
    Tell(told, from,
         replication::ChallengeResult{.term = status.term,
                                      .nonce = 1 + random_.Below(100),
                                      .acknowledged = Above(status.last_index),
                                      .no_member_since = Above(told.membership().index),
                                      .holds = random_.OneIn(2),
                                      .lost = random_.OneIn(2)},
         &count.answers_guessed);
  } else if (dice < 85) {
    replication::AppendEntriesResult made_up{1, status.term, {}, status.last_index, 0, 0};
    made_up.life = random_.Below(100);
    Tell(told, from, made_up, &count.acknowledgements_made_up);
  } else if (dice < 92) {
    Tell(told, from, replication::ReadProbeResult{status.term, 1 + random_.Below(1000)},
         &count.read_confirmations_guessed);
  } else {
    Tell(told, from, replication::NoMember{kTermOutOfReach, LogIndex(1)}, &count.lies_of_terms);
  }
}

void HostilePeer::Disrupt(BranchProcess& told, BranchId from) {
  const ReplicatorStatus& status = told.status();
  uint64_t* const count = &world_.statistics.elections_provoked;
  switch (random_.Below(4)) {
    case 0:
      return Tell(told, from, replication::LostLog{status.term, LogIndex(0)}, count);
    case 1:
      return Tell(told, from,
                  replication::RequestVote{.version = 2,
                                           .term = status.term.Plus(1 + random_.Below(3)),
                                           .candidate = from,
                                           .last_log_index = LogIndex(0),
                                           .last_log_term = Term(0),
                                           .disrupt_leader = true},
                  count);
    case 2:
      return Tell(told, from,
                  replication::TimeoutNow{1, status.term, status.last_index, status.term}, count);
    default:
      // Its stream follows that of the branch in whose name it speaks.
      ++*count;
      return world_.network.Break(from.value, told.node());
  }
}

void HostilePeer::Tell(BranchProcess& told, BranchId from, replication::Message message,
                       uint64_t* counter) {
  ++*counter;
  world_.trace.Note("lie", told.id().value, from.value, message.index());
  told.OnMessage(from, std::move(message));
}

}  // namespace bank::sim
