#include "branch/telemetry/stream/masters.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "net/channel.h"

namespace bank::telemetry {

Masters::Masters(MastersOptions options, net::Worker& worker)
    : options_(std::move(options)), worker_(worker) {}

void Masters::Watch(std::function<void(const Master&)> changed) {
  watchers_.push_back(std::move(changed));
}

void Masters::OnStatus(const replication::ReplicatorStatus& status) {
  Master now;
  now.term = status.term.value;
  if (status.role == replication::Role::kLeader) {
    now.branch = options_.self;
    now.self = true;
  } else if (status.leader != options_.self) {
    now.branch = status.leader;
  }
  {
    absl::MutexLock lock(&mutex_);
    if (now.SameAs(master_)) return;
    master_ = now;
  }
  worker_.Post([this] {
    const Master master = Current();
    for (const auto& changed : watchers_) changed(master);
  });
}

Master Masters::Current() const {
  absl::MutexLock lock(&mutex_);
  Master master = master_;
  if (master.branch.value == 0 || master.self) return master;
  const Line line = LineTo(master.branch);
  if (line.stub == nullptr) master.branch = BranchId(0);
  master.channel = line.channel;
  master.stub = line.stub;
  return master;
}

Masters::Line Masters::LineTo(BranchId branch) const {
  if (const auto known = lines_.find(branch); known != lines_.end()) return known->second;
  const auto address = options_.addresses.find(branch);
  if (address == options_.addresses.end()) return {};
  auto channel = net::MakeChannel(address->second, options_.tls, net::ChannelKind::kPeer,
                                  net::Connection::kOwn);
  if (!channel.ok()) {
    spdlog::error("branch {} cannot be dialled: {}", branch.value, channel.status().ToString());
    return {};
  }
  return lines_.emplace(branch, Line{*channel, v1::Monitor::NewStub(*channel)}).first->second;
}

}  // namespace bank::telemetry
