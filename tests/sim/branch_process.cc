#include "tests/sim/branch_process.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/auditor.h"

namespace bank::sim {

BranchProcess::BranchProcess(World& world, replication::DriverOptions options,
                             storage::StorageOptions storage_options)
    : world_(world),
      options_(std::move(options)),
      storage_options_(storage_options),
      random_(world.random.Fork()),
      clock_(random_.Between(0, 1000) * kSecond, random_.Between(950'000, 1'050'000)),
      files_(std::make_unique<SimFileSystem>(random_.Next())) {
  for (const replication::Member& member : options_.initial_members) {
    if (member.id == options_.self) initial_member_ = true;
  }
}

BranchProcess::~BranchProcess() {
  if (state_ == State::kUp || state_ == State::kEnding) Bury();
}

void BranchProcess::Start(storage::OnDamage on_damage) {
  if (state_ == State::kUp || state_ == State::kEnding) return;
  // The operator repeats what did not come to its end.
  if (wiped_) on_damage = storage::OnDamage::kRebuild;
  ++life_;
  ++world_.statistics.restarts;
  world_.trace.Note("start", id().value, life_, on_damage == storage::OnDamage::kRebuild);
  storage::OpenedStorage opened;
  if (!OpenFolder(on_damage, &opened)) return;
  storage_ = std::move(opened.storage);
  storage::Recovered& found = opened.recovered;
  rebuilding_ = found.rebuilding;
  lost_log_ = found.rebuilding || std::exchange(forgot_, false);

  disk_ = std::make_unique<DiskQueue>(
      *storage_, record_, random_.Fork(), disk_pace_,
      DiskQueue::Owner{
          .later = [this](SimTime delay, Scheduler::Task task) { Later(delay, std::move(task)); },
          .done = [this](const DiskOrder& order) { OnDiskDone(order); },
          .failed = [this](const absl::Status& status) { OnDiskFailed(status); }});
  log_.Reset(found.first_index);
  log_.Append(found.first_index, found.entries);
  inspected_ = found.snapshot ? found.snapshot->index : LogIndex(0);
  status_ = {};
  timer_at_ = -1;
  applying_ = preparing_ = false;
  just_installed_ = false;
  options_.seed = random_.Next();
  driver_ = std::make_unique<replication::Driver>(options_, *this);
  client_frontend_ = std::make_unique<ClientFrontend>(world_, *this, random_.Fork(),
                                                      options_.ledger_limits.session_window_max);
  state_ = State::kUp;
  Drive([&](replication::Driver& driver, int64_t now_ms) {
    const absl::Status status = driver.Start(now_ms, std::move(found));
    if (!status.ok()) {
      world_.Violate(absl::StrCat("branch ", id().value, " does not start: ", status.ToString()));
    }
  });
}

void BranchProcess::Stop(Cause cause) {
  if (state_ != State::kUp) return;
  ++world_.statistics.crashes;
  world_.trace.Note(cause == Cause::kPowerLoss ? "power loss" : "kill", id().value);
  // The disk first: nothing that the process's own end might still write may reach it.
  if (cause == Cause::kPowerLoss) {
    files_->PowerLoss();
  } else {
    files_->KillProcess();
  }
  Bury();
}

void BranchProcess::End() {
  if (state_ != State::kUp) return;
  state_ = State::kEnding;
  world_.scheduler.After(0, [this, life = life_] {
    if (state_ != State::kEnding || life != life_) return;
    if (files_->powered()) {
      // A failed sync may have thrown written bytes away; a machine with such a disk goes down.
      if (random_.OneIn(2)) {
        files_->KillProcess();
      } else {
        files_->PowerLoss();
      }
    } else {
      ++world_.statistics.crashes_inside_disk_call;
      files_->PowerLoss();
    }
    Bury();
  });
}

void BranchProcess::Bury() {
  state_ = damaged_ ? State::kDamaged : State::kDown;
  ++life_;
  paused_ = false;
  backlog_.clear();
  client_frontend_.reset();
  driver_.reset();
  disk_.reset();
  storage_.reset();
  world_.network.BreakAll(node());
}

void BranchProcess::Pause() {
  if (!up() || paused_) return;
  ++world_.statistics.pauses;
  world_.trace.Note("pause", id().value);
  paused_ = true;
}

void BranchProcess::Resume() {
  if (!paused_) return;
  world_.trace.Note("resume", id().value);
  paused_ = false;
  std::deque<Scheduler::Task> backlog = std::move(backlog_);
  backlog_.clear();
  for (Scheduler::Task& task : backlog) Later(0, std::move(task));
}

void BranchProcess::OnClockChanged() {
  timer_at_ = -1;
  if (up()) ArmTimer();
}

void BranchProcess::OnMessage(BranchId from, replication::Message message) {
  Enter([this, from, message = std::move(message)]() mutable {
    Drive([&](replication::Driver& driver, int64_t now_ms) {
      driver.OnMessage(now_ms, from, std::move(message));
    });
  });
}

void BranchProcess::OnConnectionLost(BranchId lost) {
  Enter([this, lost] {
    Drive([lost](replication::Driver& driver, int64_t now_ms) {
      driver.OnConnectionLost(now_ms, lost);
    });
  });
}

void BranchProcess::TakeSnapshot() {
  if (!up() || paused_) return;
  Drive([](replication::Driver& driver, int64_t now_ms) { driver.TakeSnapshot(now_ms); });
}

void BranchProcess::TransferLeadership(BranchId to, replication::Replicator::ReadCallback done) {
  if (!up() || paused_) return;
  Drive([&](replication::Driver& driver, int64_t now_ms) {
    driver.TransferLeadership(now_ms, to, std::move(done));
  });
}

void BranchProcess::ChangeMember(const replication::MemberChange& change, int64_t timeout_ms,
                                 replication::ChangeCallback done) {
  Enter([this, change, timeout_ms, done = InNextStep(std::move(done))]() mutable {
    Drive([&](replication::Driver& driver, int64_t now_ms) {
      driver.ChangeMember(now_ms, change, now_ms + timeout_ms, std::move(done));
      membership_ = driver.GetMembership();
    });
  });
}

void BranchProcess::Serve(const Call& call, absl::AnyInvocable<void(CallReply)> done) {
  Enter([this, call, done = std::move(done)]() mutable {
    client_frontend_->Serve(call, std::move(done));
  });
}

void BranchProcess::OnForward(PeerCaller caller, replication::ForwardRequest request) {
  Enter([this, caller, request = std::move(request)]() mutable {
    BranchProcess* const asker = world_.branches[caller.branch.value - 1];
    client_frontend_->OnForward(
        std::move(request), [this, asker, caller](replication::ForwardResult result) {
          world_.network.Send(node(), asker->node(), Lane::kForward, 0,
                              [asker, caller, result = std::move(result)]() mutable {
                                if (asker->life_ != caller.life) return;
                                asker->Enter([asker, caller, result = std::move(result)]() mutable {
                                  asker->client_frontend_->peers().OnReply(caller.number,
                                                                           std::move(result));
                                });
                              });
        });
  });
}

}  // namespace bank::sim
