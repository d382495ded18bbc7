#include "branch/node/lamport_order.h"

#include <chrono>
#include <utility>

namespace bank::node {
namespace {

replication::lamport::CoreOptions CoreOptionsOf(const Config& config) {
  replication::lamport::CoreOptions options;
  options.self = config.self;
  for (const replication::Member& member : config.driver.initial_members) {
    options.members.push_back(member.id);
  }
  // Nothing of the process before is left; the time is what it cannot have had.
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  options.incarnation =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
  options.ledger_limits = config.driver.ledger_limits;
  return options;
}

}  // namespace

LamportOrder::LamportOrder(const Config& config, peers::PeersOptions peers, const Clock& clock)
    : transport_(peers),
      replicator_(CoreOptionsOf(config), clock, transport_),
      service_(peers::ClusterOptionsOf(peers), replicator_),
      clocks_(replicator_, clock) {}

}  // namespace bank::node
