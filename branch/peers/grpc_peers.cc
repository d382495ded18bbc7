#include "branch/peers/grpc_peers.h"

#include <utility>
#include <vector>

#include "branch/peers/convert.h"
#include "branch/peers/hello.h"
#include "net/channel.h"
#include "spdlog/spdlog.h"

namespace bank::peers {

GrpcPeers::GrpcPeers(PeersOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(clock) {}

GrpcPeers::~GrpcPeers() { Shutdown(); }

void GrpcPeers::Send(BranchId to, replication::Message message) {
  Peer* peer = Find(to);
  if (peer == nullptr) return;
  if (const auto* install = std::get_if<replication::InstallSnapshot>(&message)) {
    const uint64_t connection = peer->messages.Connect();
    if (connection != 0) peer->snapshots.Send(*install, connection);
    return;
  }
  peer->messages.Send(ToWire(message));
}

void GrpcPeers::Forward(BranchId leader, replication::ForwardRequest request,
                        replication::ForwardCallback done) {
  Peer* peer = Find(leader);
  if (peer == nullptr) {
    return done({replication::Fate::kNotApplied, {}, "the leader's address is not known", {}, {}});
  }
  peer->forward.Forward(std::move(request), std::move(done));
}

void GrpcPeers::Shutdown() {
  std::vector<Peer*> peers;
  {
    absl::MutexLock lock(&mutex_);
    shutdown_ = true;
    for (auto& [id, peer] : peers_) peers.push_back(peer.get());
  }
  for (Peer* peer : peers) {
    peer->messages.Shutdown();
    peer->forward.Shutdown();
    peer->snapshots.Shutdown();
  }
  wait_group_.AwaitNone();
}

GrpcPeers::Peer* GrpcPeers::Find(BranchId id) {
  absl::MutexLock lock(&mutex_);
  if (shutdown_) return nullptr;
  if (auto it = peers_.find(id); it != peers_.end()) return it->second.get();
  const auto address = options_.addresses.find(id);
  if (address == options_.addresses.end() || id == options_.self) return nullptr;
  auto channel = net::MakeChannel(address->second, options_.tls, net::ChannelKind::kPeer);
  if (!channel.ok()) {
    spdlog::error("branch {} cannot be dialled: {}", id.value, channel.status().ToString());
    return nullptr;
  }
  auto peer = std::make_unique<Peer>();
  peer->context.bank = options_.bank;
  peer->context.self = options_.self;
  peer->context.peer = id;
  peer->context.clock = &clock_;
  peer->context.stub = v1::Cluster::NewStub(*channel);
  peer->context.numbers = &numbers_;
  peer->context.wait_group = &wait_group_;
  return peers_.emplace(id, std::move(peer)).first->second.get();
}

}  // namespace bank::peers
