#include "branch/telemetry/stream/leader_tracker.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "net/channel.h"

namespace bank::telemetry {

LeaderTracker::LeaderTracker(LeaderTrackerOptions options, net::TaskQueue& task_queue)
    : options_(std::move(options)), task_queue_(task_queue) {}

void LeaderTracker::Watch(std::function<void(const Leader&)> changed) {
  watchers_.push_back(std::move(changed));
}

void LeaderTracker::OnStatus(const replication::ReplicatorStatus& status) {
  Leader now;
  now.term = status.term.value;
  if (status.role == replication::Role::kLeader) {
    now.branch = options_.self;
    now.self = true;
  } else if (status.leader != options_.self) {
    now.branch = status.leader;
  }
  {
    absl::MutexLock lock(&mutex_);
    if (now.SameAs(leader_)) return;
    leader_ = now;
  }
  task_queue_.Post([this] {
    const Leader leader = Current();
    for (const auto& changed : watchers_) changed(leader);
  });
}

Leader LeaderTracker::Current() const {
  absl::MutexLock lock(&mutex_);
  Leader leader = leader_;
  if (leader.branch.value == 0 || leader.self) return leader;
  const Line line = LineTo(leader.branch);
  if (line.stub == nullptr) leader.branch = BranchId(0);
  leader.channel = line.channel;
  leader.stub = line.stub;
  return leader;
}

LeaderTracker::Line LeaderTracker::LineTo(BranchId branch) const {
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
