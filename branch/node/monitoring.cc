#include "branch/node/monitoring.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "branch/telemetry/collectors/all.h"
#include "net/channel.h"

namespace bank::node {
namespace {

using replication::Role;
using telemetry::EventKind;

// A stream that lasts for less may be told all the same, but is told soon.
constexpr int64_t kSweepNs = 250'000'000;
// How long a foreign server may take to say what it has of this branch, if it says that at all.
constexpr int64_t kForeignPatienceNs = 1'000'000'000;

int64_t UnixNowNs() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "localhost";
}

telemetry::AgentPtr MakeSelf(BranchId self) {
  return std::make_shared<const telemetry::Agent>(
      telemetry::Agent{.name = fmt::format("branch-{}", self.value),
                       .hostname = HostName(),
                       .branch = self,
                       .incarnation = static_cast<uint64_t>(UnixNowNs())});
}

}  // namespace

Monitoring::Monitoring(const MonitoringOptions& options, const Clock& clock,
                       const telemetry::StatusSource& status,
                       telemetry::ProcessMetricsSource metrics)
    : foreign_(options.monitor),
      tls_(options.tls),
      task_queue_(clock),
      store_({.bytes_max = options.history_bytes_max}, clock),
      journal_(MakeSelf(options.self), store_, UnixNowNs),
      leader_tracker_({.self = options.self, .addresses = options.addresses, .tls = options.tls},
                      task_queue_),
      telemetry_sync_({.bank = options.bank}, store_, journal_, leader_tracker_, task_queue_,
                      status),
      streams_({.bank = options.bank}, store_, leader_tracker_, task_queue_),
      connection_tracker_(
          {}, clock,
          [this](std::string line) { journal_.Note(EventKind::kCustomer, std::move(line)); }),
      sampler_(
          {.agent = journal_.self(), .interval_ms = options.sampling_interval_ms},
          telemetry::MakeCollectors("/proc", status, std::move(metrics)), status, clock, UnixNowNs,
          [this](telemetry::SampleBatchPtr batch) { telemetry_sync_.Offer(std::move(batch)); }) {
  if (foreign_.empty()) return;
  to_foreign_ = std::make_unique<telemetry::RemoteWrite>(
      telemetry::PushStream::Options{.self = self(),
                                     .metadata = {},
                                     .metadata_patience_ns = kForeignPatienceNs,
                                     .status = status},
      store_, task_queue_);
}

Monitoring::~Monitoring() { Stop(); }

absl::Status Monitoring::Start() {
  if (to_foreign_ != nullptr) {
    auto channel = net::MakeChannel(foreign_, tls_, net::ChannelKind::kPeer, net::Connection::kOwn);
    if (!channel.ok()) return channel.status();
    to_foreign_->Start(*std::move(channel));
  }
  telemetry_sync_.Start();
  task_queue_.Post([this] { SweepConnections(); });
  sampler_.Start();
  return absl::OkStatus();
}

void Monitoring::OnStatus(const replication::ReplicatorStatus& status) {
  leader_tracker_.OnStatus(status);
  const bool leads = status.role == Role::kLeader;
  if (leads != (before_.role == Role::kLeader)) {
    NoteLater(EventKind::kElection,
              leads ? fmt::format("{} leads, term {}", self()->name, status.term.value)
                    : fmt::format("{} leads no more, term {}", self()->name, status.term.value));
  }
  if (before_.snapshot_index.value != 0 && status.snapshot_index > before_.snapshot_index) {
    NoteLater(EventKind::kSnapshot, fmt::format("{} has a snapshot up to entry {}", self()->name,
                                                status.snapshot_index.value));
  }
  before_ = status;
}

void Monitoring::NoteReady(bool serves) {
  NoteLater(EventKind::kReadiness,
            serves ? fmt::format("{} serves customers", self()->name)
                   : fmt::format("{} serves no more: it reaches no quorum", self()->name));
}

void Monitoring::NoteLater(EventKind kind, std::string text) {
  task_queue_.Post([this, kind, text = std::move(text)] { journal_.Note(kind, text); });
}

void Monitoring::SweepConnections() {
  connection_tracker_.Sweep();
  task_queue_.PostAt(task_queue_.clock().NowNs() + kSweepNs, [this] { SweepConnections(); });
}

void Monitoring::EndStreams() { streams_.Shutdown(); }

void Monitoring::Stop() {
  if (std::exchange(stopped_, true)) return;
  sampler_.Stop();
  streams_.Shutdown();
  telemetry_sync_.Shutdown();
  if (to_foreign_ != nullptr) to_foreign_->Stop();
  streams_.AwaitEnded();
  task_queue_.Stop();
}

}  // namespace bank::node
