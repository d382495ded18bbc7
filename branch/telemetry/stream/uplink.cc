#include "branch/telemetry/stream/uplink.h"

#include <fmt/format.h>
#include <grpcpp/client_context.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "absl/synchronization/notification.h"
#include "branch/telemetry/stream/convert.h"

namespace bank::telemetry {
namespace {

constexpr int64_t kSyncTickNs = 250'000'000;
// A master that sends what cannot be understood is of another version: it is not asked often.
constexpr int64_t kNonsensePauseNs = 5'000'000'000;

std::string NameOf(BranchId branch) { return fmt::format("branch-{}", branch.value); }

}  // namespace

std::string BankValue(uint64_t bank) { return fmt::format("{:016x}", bank); }

// The master's feed to this branch.
class Uplink::Follow final : public grpc::ClientReadReactor<v1::MetricUpdate> {
 public:
  Follow(Uplink& uplink, const std::shared_ptr<v1::Monitor::Stub>& stub)
      : uplink_(uplink), stub_(stub) {
    uplink_.living_.Add();
    context_.AddMetadata(kBankKey, BankValue(uplink_.options_.bank));
    request_.set_frames(true);
    request_.set_since_unix_nanos(1);
    for (const auto& [agent, position] : uplink_.feed_.Positions()) {
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
    uplink_.worker_.Post([this, ok] {
      if (closed_) return;
      if (!ok) {
        closed_ = true;
        RemoveHold();
        return;
      }
      uplink_.Take(*this, update_);
      if (!closed_) StartRead(&update_);
    });
  }
  void OnDone(const grpc::Status& status) override {
    uplink_.worker_.Post([this, status] {
      if (uplink_.follow_ == this) {
        uplink_.follow_ = nullptr;
        uplink_.Broke("follow", status);
      }
      Uplink& uplink = uplink_;
      delete this;
      uplink.living_.Remove();
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
  FrameDecoder& decoder() { return decoder_; }

 private:
  Uplink& uplink_;
  const std::shared_ptr<v1::Monitor::Stub> stub_;
  grpc::ClientContext context_;
  v1::StreamMetricsRequest request_;
  v1::MetricUpdate update_;
  FrameDecoder decoder_;
  std::map<std::string, AgentPtr> agents_;
  bool closed_ = false;
};

Uplink::Uplink(UplinkOptions options, Feed& feed, Journal& journal, Masters& masters,
               net::Worker& worker, std::function<replication::ReplicatorStatus()> status)
    : options_(options),
      feed_(feed),
      journal_(journal),
      masters_(masters),
      worker_(worker),
      status_(std::move(status)) {
  masters_.Watch([this](const Master& master) { OnMaster(master); });
}

void Uplink::Start() {
  give_up_ns_ = worker_.clock().NowNs() + options_.patience_ns;
  worker_.Post([this] { Tick(); });
}

void Uplink::Offer(FramePtr frame) {
  worker_.Post([this, frame = std::move(frame)]() mutable {
    if (waiting_) {
      held_.push_back(std::move(frame));
    } else {
      feed_.AddFrame(std::move(frame));
    }
  });
}

void Uplink::Shutdown() {
  absl::Notification left;
  worker_.Post([this, &left] {
    stopping_ = true;
    Leave();
    left.Notify();
  });
  left.WaitForNotification();
  living_.AwaitNone();
}

void Uplink::OnMaster(const Master& master) {
  if (stopping_) return;
  const bool moved = !master.SameAs(master_);
  master_ = master;
  if (!moved) return;
  Leave();
  last_fault_.clear();
  informed_ = master_.self;
  if (master_.self) EndWaiting();  // nobody knows more of the past
  Connect();
}

void Uplink::Leave() {
  if (push_ != nullptr) std::exchange(push_, nullptr)->Close();
  if (follow_ != nullptr) std::exchange(follow_, nullptr)->Close();
}

void Uplink::Connect() {
  if (stopping_ || master_.stub == nullptr) return;
  if (push_ == nullptr) {
    push_ = new PushStream({.self = journal_.self(),
                            .metadata = {{kBankKey, BankValue(options_.bank)}},
                            .sign_of_life_ns = options_.sign_of_life_ns,
                            .status = status_},
                           master_.channel, feed_, worker_, living_,
                           [this](const grpc::Status& status) {
                             push_ = nullptr;
                             Broke("push", status);
                           });
  }
  if (follow_ == nullptr) follow_ = new Follow(*this, master_.stub);
}

void Uplink::Broke(const char* what, const grpc::Status& status) {
  if (stopping_ || master_.self) return;
  informed_ = false;
  // One that has handed over lives, and will be heard of by the next.
  if (status.error_message() != kNoMaster) {
    broken_master_ = NameOf(master_.branch);
    feed_.NoteBroken(broken_master_);
  }
  if (status.error_message() != last_fault_) {
    last_fault_ = status.error_message();
    spdlog::info("the {} stream of metrics with branch {} ended: {}", what, master_.branch.value,
                 last_fault_);
  }
  Redial(options_.redial_ns);
}

void Uplink::Redial(int64_t after_ns) {
  const uint64_t dial = ++dials_;
  worker_.PostAt(worker_.clock().NowNs() + after_ns, [this, dial] {
    if (dial == dials_) Connect();
  });
}

void Uplink::Take(Follow& follow, const v1::MetricUpdate& update) {
  const int64_t now_ns = worker_.clock().NowNs();
  for (const v1::Event& event : update.events()) feed_.AddEvent(FromWire(event));
  for (const v1::AuditRecord& record : update.audits()) feed_.AddAudit(FromWire(record));
  for (const v1::MetricUpdate::AgentFrame& wire : update.frames()) {
    auto agent = follow.AgentOf(wire.agent());
    auto frame = agent.ok() ? follow.decoder().Decode(*agent, wire.frame()) : agent.status();
    if (!frame.ok()) {
      spdlog::error("branch {} sent a frame that makes no sense: {}", master_.branch.value,
                    std::string(frame.status().message()));
      std::exchange(follow_, nullptr)->Close();
      return Redial(kNonsensePauseNs);
    }
    if (wire.has_life()) {
      // What this branch knows of itself it knows best.
      if ((*agent)->name == journal_.self()->name) continue;
      feed_.NoteLife(*agent, FromWire(wire.life(), now_ns), (*frame)->status);
      informed_ = true;
    } else {
      feed_.AddFrame(*std::move(frame), Feed::Heard::kPast);
    }
  }
  if (informed_) EndWaiting();
}

void Uplink::EndWaiting() {
  if (!std::exchange(waiting_, false)) return;
  for (FramePtr& frame : held_) feed_.AddFrame(std::move(frame));
  held_.clear();
}

void Uplink::Tick() {
  if (stopping_) return;
  const int64_t now_ns = worker_.clock().NowNs();
  if (waiting_ && now_ns >= give_up_ns_) EndWaiting();
  if (!waiting_) feed_.NoteAlive(journal_.self());
  if (push_ != nullptr) push_->Pump();
  NoteLostMaster();
  if (informed_) NoteChanges();
  worker_.PostAt(now_ns + kSyncTickNs, [this] { Tick(); });
}

void Uplink::NoteLost(const std::string& name, const AgentView& view) {
  seen_[name].told_lost = view.agent->incarnation;
  journal_.Note(EventKind::kLost,
                fmt::format("{} is lost: {}", name,
                            view.life.broken_ns > view.life.heard_ns ? "its connection ended"
                                                                     : "it has fallen silent"));
}

// Whoever followed a master saw its end, and need not wait for the next one to tell.
void Uplink::NoteLostMaster() {
  if (broken_master_.empty()) return;
  for (const AgentView& view : feed_.Agents()) {
    if (view.agent->name != broken_master_) continue;
    if (view.liveness == Liveness::kSuspect) return;
    if (view.liveness == Liveness::kDead &&
        seen_[broken_master_].told_lost != view.agent->incarnation) {
      NoteLost(broken_master_, view);
    }
  }
  broken_master_.clear();
}

// The master tells of agents that come and go; that a branch is lost, every voter that sees it.
// What changed before there was a master, as when the master itself is what was lost, the next one
// tells, unless the last one or itself has done so.
void Uplink::NoteChanges() {
  for (const AgentView& view : feed_.Agents()) {
    const std::string& name = view.agent->name;
    Seen& seen = seen_[name];
    const bool dead = view.liveness == Liveness::kDead;
    const bool changed =
        dead != seen.dead || (!dead && view.agent->incarnation != seen.incarnation);
    seen = {.incarnation = view.agent->incarnation,
            .dead = dead,
            .untold = changed || seen.untold,
            .told_lost = seen.told_lost};
    if (!seen.untold || name == journal_.self()->name) continue;
    if (!master_.self) {
      const bool counts = status_().role != replication::Role::kLearner;
      const bool is_branch = view.agent->branch != BranchId(0);
      if (changed && dead && is_branch && counts && seen.told_lost != seen.incarnation) {
        NoteLost(name, view);
      }
      continue;
    }
    seen.untold = false;
    if (dead && seen.told_lost == seen.incarnation) continue;
    if (!changed && WasTold(name, dead)) continue;
    if (!dead) {
      journal_.Note(EventKind::kJoined, fmt::format("{} on {} joined", name, view.agent->hostname));
    } else {
      NoteLost(name, view);
    }
  }
}

// Whether the newest event about the agent's coming and going says the same. About one that lives
// nothing need have been said.
bool Uplink::WasTold(const std::string& name, bool dead) const {
  const std::vector<Event> events = feed_.Events(SIZE_MAX);
  for (auto event = events.rbegin(); event != events.rend(); ++event) {
    const bool lost = event->kind == EventKind::kLost;
    if (!lost && event->kind != EventKind::kJoined) continue;
    if (event->text.starts_with(name + " ")) return lost == dead;
  }
  return !dead;
}

}  // namespace bank::telemetry
