#include "branch/telemetry/stream/telemetry_sync.h"

#include <fmt/format.h>
#include <grpcpp/client_context.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "absl/synchronization/notification.h"
#include "branch/telemetry/stream/convert.h"
#include "common/hex.h"

namespace bank::telemetry {
namespace {

constexpr int64_t kSyncTickNs = 250'000'000;
// A leader that sends what cannot be understood is of another version: it is not asked often.
constexpr int64_t kNonsensePauseNs = 5'000'000'000;

}  // namespace

std::string BankValue(uint64_t bank) { return HexDigits(bank); }

// The leader's metric store to this branch.
class TelemetrySync::Follow final : public grpc::ClientReadReactor<v1::MetricUpdate> {
 public:
  Follow(TelemetrySync& telemetry_sync, const std::shared_ptr<v1::Monitor::Stub>& stub)
      : telemetry_sync_(telemetry_sync), stub_(stub) {
    telemetry_sync_.wait_group_.Add();
    context_.AddMetadata(kBankKey, BankValue(telemetry_sync_.options_.bank));
    request_.set_frames(true);
    request_.set_since_unix_nanos(1);
    for (const auto& [agent, position] : telemetry_sync_.store_.Positions()) {
      auto* after = request_.add_after();
      after->set_agent(agent);
      after->set_incarnation(position.incarnation);
      after->set_sequence(position.sequence);
    }
    stub_->async()->StreamMetrics(&context_, &request_, this);
    AddHold();
    StartRead(&update_);
    StartCall();
  }

  void Close() {
    if (std::exchange(closed_, true)) return;
    context_.TryCancel();
    RemoveHold();
  }

  void OnReadDone(bool ok) override {
    telemetry_sync_.task_queue_.Post([this, ok] {
      if (closed_) return;
      if (!ok) {
        closed_ = true;
        RemoveHold();
        return;
      }
      telemetry_sync_.Take(*this, update_);
      if (!closed_) StartRead(&update_);
    });
  }
  void OnDone(const grpc::Status& status) override {
    telemetry_sync_.task_queue_.Post([this, status] {
      if (telemetry_sync_.follow_ == this) {
        telemetry_sync_.follow_ = nullptr;
        telemetry_sync_.Broke("follow", status);
      }
      TelemetrySync& telemetry_sync = telemetry_sync_;
      delete this;
      telemetry_sync.wait_group_.Remove();
    });
  }

  // The same object for the same run of an agent.
  absl::StatusOr<AgentPtr> AgentOf(const v1::Agent& wire) {
    AgentPtr& known = agents_[wire.agent()];
    if (known == nullptr || known->incarnation != wire.incarnation()) {
      auto agent = FromWire(wire);
      if (!agent.ok()) return agent.status();
      known = *std::move(agent);
    }
    return known;
  }
  SampleBatchDecoder& decoder() { return decoder_; }

 private:
  TelemetrySync& telemetry_sync_;
  const std::shared_ptr<v1::Monitor::Stub> stub_;
  grpc::ClientContext context_;
  v1::StreamMetricsRequest request_;
  v1::MetricUpdate update_;
  SampleBatchDecoder decoder_;
  std::map<std::string, AgentPtr> agents_;
  bool closed_ = false;
};

TelemetrySync::TelemetrySync(TelemetrySyncOptions options, MetricStore& store, Journal& journal,
                             LeaderTracker& leader_tracker, net::TaskQueue& task_queue,
                             std::function<replication::ReplicatorStatus()> status)
    : options_(options),
      store_(store),
      journal_(journal),
      leader_tracker_(leader_tracker),
      task_queue_(task_queue),
      status_(std::move(status)),
      changes_(journal.self()->name) {
  leader_tracker_.Watch([this](const Leader& leader) { OnLeader(leader); });
}

void TelemetrySync::Start() {
  give_up_ns_ = task_queue_.clock().NowNs() + options_.patience_ns;
  task_queue_.Post([this] { Tick(); });
}

void TelemetrySync::Offer(SampleBatchPtr batch) {
  task_queue_.Post([this, batch = std::move(batch)]() mutable {
    if (waiting_) {
      held_.push_back(std::move(batch));
    } else {
      store_.AddBatch(std::move(batch));
    }
  });
}

void TelemetrySync::Shutdown() {
  absl::Notification left;
  task_queue_.Post([this, &left] {
    stopping_ = true;
    Leave();
    left.Notify();
  });
  left.WaitForNotification();
  wait_group_.AwaitNone();
}

void TelemetrySync::OnLeader(const Leader& leader) {
  if (stopping_) return;
  const bool moved = !leader.SameAs(leader_);
  leader_ = leader;
  if (!moved) return;
  Leave();
  last_fault_.clear();
  informed_ = leader_.self;
  if (leader_.self) EndWaiting();  // nobody knows more of the past
  Connect();
}

void TelemetrySync::Leave() {
  if (push_ != nullptr) std::exchange(push_, nullptr)->Close();
  if (follow_ != nullptr) std::exchange(follow_, nullptr)->Close();
}

void TelemetrySync::Connect() {
  if (stopping_ || leader_.stub == nullptr) return;
  if (push_ == nullptr) {
    push_ = new PushStream({.self = journal_.self(),
                            .metadata = {{kBankKey, BankValue(options_.bank)}},
                            .heartbeat_ns = options_.heartbeat_ns,
                            .status = status_},
                           leader_.channel, store_, task_queue_, wait_group_,
                           [this](const grpc::Status& status) {
                             push_ = nullptr;
                             Broke("push", status);
                           });
  }
  if (follow_ == nullptr) follow_ = new Follow(*this, leader_.stub);
}

void TelemetrySync::Broke(const char* what, const grpc::Status& status) {
  if (stopping_ || leader_.self) return;
  informed_ = false;
  // One that has handed over lives, and will be heard of by the next.
  if (status.error_message() != kNoLeader) {
    const std::string name = fmt::format("branch-{}", leader_.branch.value);
    changes_.NoteBrokenLeader(name);
    store_.NoteBroken(name);
  }
  if (status.error_message() != last_fault_) {
    last_fault_ = status.error_message();
    spdlog::info("the {} stream of metrics with branch {} ended: {}", what, leader_.branch.value,
                 last_fault_);
  }
  Redial(options_.redial_ns);
}

void TelemetrySync::Redial(int64_t after_ns) {
  const uint64_t dial = ++dials_;
  task_queue_.PostAt(task_queue_.clock().NowNs() + after_ns, [this, dial] {
    if (dial == dials_) Connect();
  });
}

void TelemetrySync::Take(Follow& follow, const v1::MetricUpdate& update) {
  const int64_t now_ns = task_queue_.clock().NowNs();
  for (const v1::Event& event : update.events()) store_.AddEvent(FromWire(event));
  for (const v1::AuditRecord& record : update.audits()) store_.AddAudit(FromWire(record));
  for (const v1::MetricUpdate::AgentFrame& wire : update.frames()) {
    auto agent = follow.AgentOf(wire.agent());
    auto batch = agent.ok() ? follow.decoder().Decode(*agent, wire.frame()) : agent.status();
    if (!batch.ok()) {
      spdlog::error("branch {} sent a frame that makes no sense: {}", leader_.branch.value,
                    std::string(batch.status().message()));
      std::exchange(follow_, nullptr)->Close();
      return Redial(kNonsensePauseNs);
    }
    if (wire.has_life()) {
      // What this branch knows of itself it knows best.
      if ((*agent)->name == journal_.self()->name) continue;
      store_.NoteLife(*agent, FromWire(wire.life(), now_ns), (*batch)->status);
      informed_ = true;
    } else {
      store_.AddBatch(*std::move(batch), MetricStore::Heard::kPast);
    }
  }
  if (informed_) EndWaiting();
}

void TelemetrySync::EndWaiting() {
  if (!std::exchange(waiting_, false)) return;
  for (SampleBatchPtr& batch : held_) store_.AddBatch(std::move(batch));
  held_.clear();
}

void TelemetrySync::Tick() {
  if (stopping_) return;
  const int64_t now_ns = task_queue_.clock().NowNs();
  if (waiting_ && now_ns >= give_up_ns_) EndWaiting();
  if (!waiting_) store_.NoteAlive(journal_.self());
  if (push_ != nullptr) push_->Pump();
  NoteChanges();
  task_queue_.PostAt(now_ns + kSyncTickNs, [this] { Tick(); });
}

void TelemetrySync::NoteChanges() {
  const std::vector<AgentView> agents = store_.Agents();
  std::vector<AgentChanges::News> news = changes_.LookAtBrokenLeader(agents);
  if (informed_) {
    using Part = AgentChanges::Part;
    const Part part = leader_.self                                    ? Part::kLeads
                      : status_().role == replication::Role::kLearner ? Part::kReceives
                                                                      : Part::kVotes;
    for (auto& more : changes_.Look(agents, part, [this] { return store_.Events(SIZE_MAX); })) {
      news.push_back(std::move(more));
    }
  }
  for (auto& [kind, text] : news) journal_.Note(kind, std::move(text));
}

}  // namespace bank::telemetry
