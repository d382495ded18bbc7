#include "tests/support/raft_cluster.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "branch/ledger/command.h"
#include "common/check.h"
#include "net/channel.h"

namespace bank::replication {
namespace {

constexpr uint64_t kBank = 42;

// A port that was free a moment ago. All of a cluster's are taken before the first is given back.
std::vector<int> FreePorts(size_t n) {
  std::vector<int> ports, sockets;
  for (size_t i = 0; i < n; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    BANK_CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
    BANK_CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    ports.push_back(ntohs(address.sin_port));
    sockets.push_back(fd);
  }
  for (int fd : sockets) close(fd);
  return ports;
}

}  // namespace

class RaftCluster::CutPeers final : public Peers {
 public:
  explicit CutPeers(Branch& branch) : branch_(branch) {}
  void Send(BranchId to, Message message) override {
    if (!branch_.cut.load()) branch_.peers->Send(to, std::move(message));
  }
  void Forward(BranchId leader, ForwardRequest request, ForwardCallback done) override {
    if (branch_.cut.load()) return done({Fate::kNotApplied, {}, "cut off", {}, {}});
    branch_.peers->Forward(leader, std::move(request), std::move(done));
  }

 private:
  Branch& branch_;
};

class RaftCluster::CutHandler final : public PeerHandler {
 public:
  explicit CutHandler(Branch& branch) : branch_(branch) {}
  void OnMessage(BranchId from, Message message) override {
    if (!branch_.cut.load()) branch_.replicator->OnMessage(from, std::move(message));
  }
  void OnConnectionLost(BranchId from) override {
    if (!branch_.cut.load()) branch_.replicator->OnConnectionLost(from);
  }
  void OnForward(BranchId from, ForwardRequest request, ForwardCallback reply) override {
    if (branch_.cut.load()) return reply({Fate::kNotApplied, {}, "cut off", {}, {}});
    branch_.replicator->OnForward(from, std::move(request), std::move(reply));
  }

 private:
  Branch& branch_;
};

RaftCluster::RaftCluster(RaftClusterOptions options) : options_(options) {
  const std::vector<int> ports = FreePorts(options_.branches);
  for (size_t i = 0; i < options_.branches; ++i) {
    auto branch = std::make_unique<Branch>();
    branch->id = BranchId(i + 1);
    branch->port = ports[i];
    initial_members_.push_back({branch->id, "127.0.0.1:" + std::to_string(ports[i]), true});
    branches_.push_back(std::move(branch));
  }
  for (size_t i = 0; i < branches_.size(); ++i) Start(i);
  const size_t leader = AwaitLeader();
  std::string founding;
  ledger::AppendCommand({.kind = ledger::Kind::kOpen,
                         .account = ledger::kSharedAccount,
                         .amount = options_.initial_balance},
                        &founding);
  absl::Notification founded;
  branch(leader).Propose(founding, 1, clock_.NowNs() + 20'000'000'000, [&](ProposeResult result) {
    BANK_CHECK(result.fate == Fate::kApplied) << result.reason;
    founded.Notify();
  });
  founded.WaitForNotification();
  for (size_t i = 0; i < branches_.size(); ++i) {
    BANK_CHECK(Await([&] { return branch(i).GetStatus().ready; }));
  }
}

RaftCluster::~RaftCluster() {
  for (size_t i = 0; i < branches_.size(); ++i) Stop(i);
}

void RaftCluster::Start(size_t i) {
  Branch& b = *branches_[i];
  b.storage = std::make_unique<storage::MemoryStorage>(b.disk);
  peers::PeersOptions peers_options;
  peers_options.bank = kBank;
  peers_options.self = b.id;
  std::set<BranchId> others;
  for (const Member& member : initial_members_) {
    if (member.id == b.id) continue;
    peers_options.addresses.emplace(member.id, member.address);
    others.insert(member.id);
  }
  b.peers = std::make_unique<peers::GrpcPeers>(std::move(peers_options), clock_);
  b.cut_peers = std::make_unique<CutPeers>(b);
  RaftOptions raft;
  raft.driver.self = b.id;
  raft.driver.initial_members = initial_members_;
  raft.driver.seed = 7 * (i + 1);
  raft.driver.election_timeout_ms = options_.election_timeout_ms;
  raft.driver.heartbeat_ms = options_.heartbeat_ms;
  raft.driver.snapshot_every_entries = options_.snapshot_every_entries;
  raft.driver.trailing_entries = options_.trailing_entries;
  b.failed = false;
  b.replicator = std::make_unique<RaftReplicator>(raft, *b.storage, clock_, *b.cut_peers,
                                                  [&b](const absl::Status&) { b.failed = true; });
  b.cut_handler = std::make_unique<CutHandler>(b);
  const absl::Status started = b.replicator->Start(b.disk.Recover());
  BANK_CHECK(started.ok()) << started.ToString();
  b.service = std::make_unique<peers::ClusterService>(
      peers::ClusterOptions{.bank = kBank, .self = b.id, .branches = others}, *b.cut_handler);
  grpc::ServerBuilder builder;
  int port = 0;
  const absl::Status listens =
      net::AddListener(builder, "127.0.0.1:" + std::to_string(b.port), {}, &port);
  BANK_CHECK(listens.ok()) << listens.ToString();
  builder.RegisterService(b.service.get());
  b.server = builder.BuildAndStart();
  BANK_CHECK(b.server != nullptr);
}

void RaftCluster::Stop(size_t i) {
  Branch& b = *branches_[i];
  if (b.replicator == nullptr) return;
  b.replicator->Stop();
  b.service->Shutdown();
  b.server->Shutdown();
  b.server->Wait();
  b.peers->Shutdown();
  b.server.reset();
  b.service.reset();
  b.cut_handler.reset();
  b.replicator.reset();
  b.cut_peers.reset();
  b.peers.reset();
  b.storage.reset();
}

size_t RaftCluster::AwaitLeader() {
  size_t leader = 0;
  const bool found = Await([&] {
    size_t agreeing = 0;
    size_t alive = 0;
    bool known = false;
    for (size_t i = 0; i < branches_.size(); ++i) {
      if (!running(i) || branches_[i]->cut.load()) continue;
      if (branch(i).GetStatus().role == Role::kLeader) {
        leader = i;
        known = true;
      }
    }
    for (size_t i = 0; known && i < branches_.size(); ++i) {
      if (!running(i) || branches_[i]->cut.load()) continue;
      ++alive;
      agreeing += branch(i).GetStatus().leader == branches_[leader]->id ? 1 : 0;
    }
    return known && agreeing == alive;
  });
  BANK_CHECK(found) << "no leader";
  return leader;
}

bool RaftCluster::Await(const std::function<bool()>& condition) {
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  while (!condition()) {
    if (absl::Now() > give_up) return false;
    absl::SleepFor(absl::Milliseconds(1));  // states of threads that tell nobody
  }
  return true;
}

}  // namespace bank::replication
