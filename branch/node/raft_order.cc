#include "branch/node/raft_order.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace bank::node {
namespace {

constexpr absl::Duration kHandOverMax = absl::Milliseconds(300);

// The storage knows the bank's number only; here it is known what that is made of.
absl::Status Explain(const absl::Status& refused) {
  const std::string message(refused.message());
  if (message.find(" of bank ") == std::string::npos) return refused;
  return {refused.code(),
          fmt::format("{}: another bank's, founded with other members, another --initial-balance "
                      "or another --replicator",
                      message)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<RaftOrder>> RaftOrder::Open(const Config& config,
                                                           const peers::PeersOptions& peers,
                                                           const Clock& clock,
                                                           replication::FatalHandler on_fatal) {
  auto order = std::unique_ptr<RaftOrder>(new RaftOrder(config));
  const storage::Identity identity{.bank = peers.bank, .branch = config.self};
  auto opened = storage::OpenStorage(
      order->files_, config.data, identity, {},
      config.rebuild ? storage::OnDamage::kRebuild : storage::OnDamage::kRefuse);
  if (!opened.ok()) return Explain(opened.status());
  order->opened_ = *std::move(opened);
  for (const std::string& note : order->opened_.recovered.notes) spdlog::warn("{}", note);

  order->peers_ = std::make_unique<peers::GrpcPeers>(peers, clock);
  order->replicator_ = std::make_unique<replication::RaftReplicator>(
      replication::RaftOptions{.driver = config.driver, .forwarder = {}}, *order->opened_.storage,
      clock, *order->peers_, std::move(on_fatal));
  order->cluster_service_ =
      std::make_unique<peers::ClusterService>(peers::ClusterOptionsOf(peers), *order->replicator_);
  return order;
}

void RaftOrder::HandOver() {
  size_t voters = 0;
  for (const replication::Member& member : driver_options_.initial_members) voters += member.voter;
  if (voters < 2 || replicator_->GetStatus().role != replication::Role::kLeader) return;
  const auto over = std::make_shared<absl::Notification>();
  replicator_->TransferLeadership(BranchId(0), [over](const absl::Status& transfer) {
    if (!transfer.ok()) spdlog::info("no hand-over: {}", std::string(transfer.message()));
    over->Notify();
  });
  over->WaitForNotificationWithTimeout(kHandOverMax);
}

}  // namespace bank::node
