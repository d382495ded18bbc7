#include "tests/sim/branch_process.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/auditor.h"

namespace bank::sim {
namespace {

constexpr char kFolder[] = "/data";
constexpr uint64_t kBankNumber = 42;
// A snapshot's bytes travel apart from the messages and take their time.
constexpr SimTime kSnapshotDelayPerKilobyte = 200;

}  // namespace

BranchProcess::BranchProcess(World& world, replication::DriverOptions options,
                             storage::StorageOptions storage_options)
    : world_(world),
      options_(std::move(options)),
      storage_options_(storage_options),
      random_(world.random.Fork()),
      clock_(random_.Between(0, 1000) * kSecond, random_.Between(950'000, 1'050'000)),
      files_(std::make_unique<SimFileSystem>(random_.Next())) {
  for (const replication::Member& member : options_.founders) {
    if (member.id == options_.self) voter_ = member.voter;
  }
}

BranchProcess::~BranchProcess() {
  if (state_ == State::kUp || state_ == State::kEnding) Bury();
}

// --- power ---

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
  rebuilding_ = lost_log_ = found.rebuilding;

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
  applying_ = false;
  options_.seed = random_.Next();
  driver_ = std::make_unique<replication::Driver>(options_, *this);
  state_ = State::kUp;
  Call([&] {
    const absl::Status status = driver_->Start(NowMs(), std::move(found));
    if (!status.ok()) {
      world_.Violate(absl::StrCat("branch ", id().value, " does not start: ", status.ToString()));
    }
  });
}

bool BranchProcess::OpenFolder(storage::OnDamage on_damage, storage::OpenedStorage* opened) {
  auto result =
      storage::OpenStorage(*files_, kFolder, {kBankNumber, id()}, storage_options_, on_damage);
  if (!result.ok()) {
    world_.trace.Note("start failed", id().value, static_cast<uint64_t>(result.status().code()));
    if (world_.trace.printing()) printf("    %s\n", result.status().ToString().c_str());
    if (!files_->powered()) {
      ++world_.statistics.crashes_inside_disk_call;
      files_->PowerLoss();
    } else if (absl::IsDataLoss(result.status())) {
      state_ = State::kDamaged;
      ++world_.statistics.damage_refused;
      if (!damaged_ && !old_copy_) {
        world_.Violate(
            absl::StrCat("branch ", id().value,
                         " refuses a folder that nobody damaged: ", result.status().ToString()));
      }
      return false;
    }
    // Anything else is an error of the disk: the next start may succeed.
    state_ = State::kDown;
    files_->KillProcess();
    return false;
  }
  *opened = *std::move(result);
  world_.statistics.torn_tails_cut += opened->recovered.notes.size();
  if (world_.trace.printing()) {
    for (const std::string& note : opened->recovered.notes) printf("    %s\n", note.c_str());
  }
  // As RaftReplicator::Start: the vote is written last, a founding cut short is done again.
  const storage::Recovered& found = opened->recovered;
  if (!found.rebuilding && found.hard_state.term == Term(0) && !found.snapshot &&
      found.entries.size() <= 1) {
    if (!record_.empty() && !old_copy_) {
      world_.Violate(absl::StrCat("branch ", id().value, " takes its folder for a new one"));
      return false;
    }
    if (!Found(opened)) return false;
  }
  if (opened->recovered.rebuilding || old_copy_) {
    // What was lost is known to be lost; the others bring it back.
    if (opened->recovered.rebuilding && !rebuilding_) ++world_.statistics.rebuilds_begun;
    if (opened->recovered.rebuilding) old_copy_ = false;
    record_.Take(opened->recovered);
  } else {
    const std::string missing = record_.Compare(opened->recovered);
    if (!missing.empty()) {
      world_.Violate(absl::StrCat("branch ", id().value, " lost what was durable: ", missing));
      return false;
    }
  }
  damaged_ = false;
  wiped_ = false;
  return true;
}

bool BranchProcess::Found(storage::OpenedStorage* opened) {
  storage::Recovered founding = replication::Driver::Founding(options_);
  record_.OnHardStateBegins(founding.hard_state);
  record_.OnAppendBegins(founding.first_index, founding.entries);
  absl::Status status = opened->storage->Append(founding.first_index, founding.entries);
  if (status.ok()) status = opened->storage->Sync();
  if (status.ok()) status = opened->storage->WriteHardState(founding.hard_state);
  if (!status.ok()) {
    opened->storage.reset();
    if (files_->powered()) {
      files_->KillProcess();
    } else {
      files_->PowerLoss();
    }
    state_ = State::kDown;
    return false;
  }
  opened->recovered = std::move(founding);
  record_.OnHardStateDone();
  return true;
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
  forwards_open_.clear();
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

void BranchProcess::TakeSnapshot() {
  if (!up() || paused_) return;
  Call([&] { driver_->TakeSnapshot(NowMs()); });
}

void BranchProcess::TransferLeadership() {
  if (!up() || paused_) return;
  Call([&] {
    if (driver_->TransferLeadership(NowMs(), BranchId(0)).ok()) ++world_.statistics.transfers;
  });
}

void BranchProcess::WipeFolder() {
  for (const std::string& path : files_->Files()) files_->LoseFile(path);
  damaged_ = true;
  wiped_ = true;
}

void BranchProcess::RestoreFolder(const SimFileSystem::Image& image) {
  files_ = std::make_unique<SimFileSystem>(random_.Next(), image);
  old_copy_ = true;
}

// --- replication::DriverPorts ---

void BranchProcess::Send(BranchId to, replication::Message message) {
  if (!up()) return;
  if (to.value < 1 || to.value > world_.branches.size() || to == id()) {
    world_.Violate(absl::StrCat("branch ", id().value, " sends to branch ", to.value));
    return;
  }
  CheckPromise(message);
  Lane lane = Lane::kMessages;
  SimTime size_delay = 0;
  if (const auto* install = std::get_if<replication::InstallSnapshot>(&message)) {
    lane = Lane::kSnapshots;
    size_delay = static_cast<SimTime>(install->snapshot.state->size() / 1024 + 1) *
                 kSnapshotDelayPerKilobyte;
  }
  BranchProcess* const receiver = world_.branches[to.value - 1];
  world_.network.Send(
      node(), receiver->node(), lane, size_delay,
      [receiver, from = id(), message = std::move(message)]() mutable {
        receiver->Enter([receiver, from, message = std::move(message)]() mutable {
          receiver->Call(
              [&] { receiver->driver_->OnMessage(receiver->NowMs(), from, std::move(message)); });
        });
      });
}

// What others count on must be true when it is said.
void BranchProcess::CheckPromise(const replication::Message& message) {
  if (const auto* result = std::get_if<replication::AppendEntriesResult>(&message)) {
    const LogIndex index = result->last_log_index;
    const EntryId* const entry = log_.Find(index);
    if (result->rejected == LogIndex(0) && entry != nullptr && !record_.Keeps(index, *entry)) {
      world_.Violate(absl::StrCat("branch ", id().value, " acknowledges entry ", index.value,
                                  ", which is not durable"));
    }
  } else if (const auto* vote = std::get_if<replication::RequestVoteResult>(&message)) {
    if (vote->vote_granted && lost_log_) {
      world_.Violate(absl::StrCat("branch ", id().value, " votes without its log"));
    }
  }
}

void BranchProcess::WriteHardState(const storage::HardState& state) {
  if (!up()) return;
  record_.OnHardStateBegins(state);
  const absl::Status status = storage_->WriteHardState(state);
  if (!status.ok()) return OnDiskFailed(status);
  record_.OnHardStateDone();
}

void BranchProcess::WriteRebuilding() {
  if (!up()) return;
  ++world_.statistics.rebuilds_begun;
  world_.trace.Note("must be rebuilt", id().value);
  rebuilding_ = true;
  const absl::Status status = storage_->BeginRebuild();
  if (!status.ok()) OnDiskFailed(status);
}

void BranchProcess::QueueAppend(LogIndex first, std::vector<storage::Entry> entries) {
  if (!up()) return;
  if (entries.empty()) {
    world_.Violate(absl::StrCat("branch ", id().value, " appends nothing"));
    return;
  }
  if (first <= log_.last()) {
    ++world_.statistics.log_truncations;
    world_.trace.Note("truncate", id().value, first.value, log_.last().value);
    if (first <= inspected_) {
      world_.Violate(absl::StrCat("branch ", id().value, " replaces entry ", first.value,
                                  " though it has applied ", inspected_.value));
    }
  }
  if (!log_.Append(first, entries)) {
    world_.Violate(absl::StrCat("branch ", id().value, " leaves a gap in its log: ", first.value,
                                " after ", log_.last().value));
    return;
  }
  world_.auditor->OnWritten(id(), first, entries);
  disk_->Push(AppendOrder{first, std::move(entries)});
}

void BranchProcess::QueueSaveSnapshot(storage::Snapshot snapshot) {
  if (!up()) return;
  ++world_.statistics.snapshots_taken;
  world_.trace.Note("save snapshot", id().value, snapshot.index.value);
  disk_->Push(SaveOrder{std::move(snapshot)});
}

void BranchProcess::QueueInstallSnapshot(storage::Snapshot snapshot) {
  if (!up()) return;
  ++world_.statistics.snapshots_installed;
  world_.trace.Note("install snapshot", id().value, snapshot.index.value);
  log_.Reset(snapshot.index.Next());
  inspected_ = std::max(inspected_, snapshot.index);
  disk_->Push(InstallOrder{std::move(snapshot)});
}

void BranchProcess::QueueTrimPrefix(LogIndex first) {
  if (!up()) return;
  disk_->Push(TrimOrder{first});
}

void BranchProcess::QueueFinishRebuild(Term vote_floor) {
  if (!up()) return;
  ++world_.statistics.rebuilds_finished;
  world_.trace.Note("rebuilt", id().value, vote_floor.value);
  lost_log_ = false;
  disk_->Push(FinishRebuildOrder{vote_floor});
}

void BranchProcess::Fatal(const std::string& reason) {
  if (!up()) return;
  world_.trace.Note("fatal", id().value);
  if (world_.trace.printing()) printf("    %s\n", reason.c_str());
  if (!old_copy_) {
    world_.Violate(absl::StrCat("branch ", id().value, " gives up: ", reason));
  }
  ++world_.statistics.old_copies_noticed;
  damaged_ = storage_->MarkLost().ok();
  End();
}

void BranchProcess::BeginApply() {
  if (applying_) world_.Violate("BeginApply twice");
  applying_ = true;
}

void BranchProcess::EndApply() {
  if (!applying_) world_.Violate("EndApply without BeginApply");
  applying_ = false;
}

void BranchProcess::OnDiskDone(const DiskOrder& order) {
  if (!up()) return;
  if (const auto* append = std::get_if<AppendOrder>(&order)) {
    Call([&] { driver_->OnAppended(NowMs(), append->first, append->entries); });
  } else if (const auto* save = std::get_if<SaveOrder>(&order)) {
    Call([&] { driver_->OnSnapshotSaved(NowMs(), save->snapshot.index); });
  } else if (const auto* install = std::get_if<InstallOrder>(&order)) {
    Call([&] { driver_->OnSnapshotInstalled(NowMs(), install->snapshot.index); });
  } else if (std::holds_alternative<FinishRebuildOrder>(order)) {
    rebuilding_ = false;
  }
}

void BranchProcess::OnDiskFailed(const absl::Status& status) {
  if (!up()) return;
  world_.trace.Note("disk failed", id().value, static_cast<uint64_t>(status.code()));
  if (world_.trace.printing()) printf("    %s\n", status.ToString().c_str());
  if (absl::IsResourceExhausted(status)) {
    ++world_.statistics.stops_on_full_disk;
  } else if (files_->powered()) {
    ++world_.statistics.stops_on_disk_error;
  }
  End();
}

// --- time ---

void BranchProcess::Later(SimTime delay, Scheduler::Task task) {
  world_.scheduler.After(delay, [this, life = life_, task = std::move(task)]() mutable {
    if (life == life_) Enter(std::move(task));
  });
}

void BranchProcess::Enter(Scheduler::Task task) {
  if (!up()) return;
  if (paused_) {
    backlog_.push_back(std::move(task));
  } else {
    task();
  }
}

template <class F>
void BranchProcess::Call(F&& f) {
  f();
  if (!up()) return;
  Inspect();
  ArmTimer();
}

void BranchProcess::Inspect() {
  const replication::ReplicatorStatus before = std::move(status_);
  status_ = driver_->GetStatus();
  world_.auditor->OnProgress(id(), before, status_);
  if (status_.role == replication::Role::kLeader &&
      (before.role != replication::Role::kLeader || before.term != status_.term)) {
    world_.auditor->OnLeader(id(), status_.term);
  }
  if (status_.applied_index > before.applied_index) {
    for (LogIndex i = inspected_.Next(); i <= status_.applied_index; i = i.Next()) {
      const EntryId* const entry = log_.Find(i);
      if (entry == nullptr) {
        world_.Violate(absl::StrCat("branch ", id().value, " applied index ", i.value,
                                    ", which its log does not hold"));
        return;
      }
      world_.auditor->OnApplied(id(), i, *entry);
    }
    inspected_ = std::max(inspected_, status_.applied_index);
    world_.auditor->OnLedger(id(), status_.applied_index, status_.ledger);
  }
  // Entries behind both the applied index and any conflict are no longer needed here.
  if (inspected_.value > log_.first().value + 4096) log_.DropBefore(inspected_);
}

void BranchProcess::ArmTimer() {
  const int64_t deadline_ms = driver_->NextDeadlineMs();
  if (deadline_ms == std::numeric_limits<int64_t>::max()) return;  // nothing to wait for
  const SimTime now = world_.scheduler.now();
  const SimTime when = clock_.When(deadline_ms, now);
  if (timer_at_ >= 0 && timer_at_ <= when) return;  // that one comes first, and arms the next
  timer_at_ = when;
  world_.scheduler.At(when, [this, life = life_, number = ++timer_number_] {
    if (life != life_ || number != timer_number_) return;
    Enter([this] { OnTimer(); });
  });
}

void BranchProcess::OnTimer() {
  timer_at_ = -1;
  const int64_t now_ms = NowMs();
  if (driver_->NextDeadlineMs() > now_ms) return ArmTimer();
  driver_->OnTimer(now_ms);
  if (!up()) return;
  Inspect();
  if (driver_->NextDeadlineMs() > now_ms) return ArmTimer();
  // Still due: a real loop would spin; here it is called again a millisecond later, and counted.
  ++world_.statistics.timer_spins;
  timer_at_ = world_.scheduler.now() + kMillisecond;
  world_.scheduler.At(timer_at_, [this, life = life_, number = ++timer_number_] {
    if (life != life_ || number != timer_number_) return;
    Enter([this] { OnTimer(); });
  });
}

// --- customers ---

void BranchProcess::Write(std::string batch, uint64_t count, int64_t timeout_ms, WriteDone done) {
  Enter([this, batch = std::move(batch), count, timeout_ms, done = std::move(done)]() mutable {
    if (status_.role != replication::Role::kLeader && status_.leader != BranchId(0) &&
        status_.leader != id()) {
      ++world_.statistics.batches_forwarded;
      return Forward(
          status_.leader, std::move(batch), count, false, timeout_ms,
          [done = std::move(done)](ForwardReply reply) mutable { done(std::move(reply.write)); });
    }
    auto detached = Detached(
        [done = std::move(done)](ForwardReply reply) mutable { done(std::move(reply.write)); });
    Call([&] {
      driver_->Propose(NowMs(), std::move(batch), count, NowMs() + timeout_ms,
                       [detached = std::move(detached)](replication::ProposeResult result) mutable {
                         detached({std::move(result), {}});
                       });
    });
  });
}

void BranchProcess::Read(std::string account, int64_t timeout_ms, ReadDone done) {
  Enter([this, account = std::move(account), timeout_ms, done = std::move(done)]() mutable {
    ForwardDone on_index = [this, account = std::move(account), timeout_ms,
                            done = std::move(done)](ForwardReply reply) mutable {
      if (reply.read_index == LogIndex(0)) return done({});
      FinishRead(std::move(account), reply.read_index, timeout_ms, std::move(done));
    };
    if (status_.role != replication::Role::kLeader && status_.leader != BranchId(0) &&
        status_.leader != id()) {
      ++world_.statistics.reads_through_follower;
      return Forward(status_.leader, "", 0, true, timeout_ms, std::move(on_index));
    }
    auto detached = Detached(std::move(on_index));
    Call([&] {
      driver_->ReadIndex(NowMs(), NowMs() + timeout_ms,
                         [detached = std::move(detached)](absl::StatusOr<LogIndex> index) mutable {
                           detached({{}, index.ok() ? *index : LogIndex(0)});
                         });
    });
  });
}

void BranchProcess::FinishRead(std::string account, LogIndex index, int64_t timeout_ms,
                               ReadDone done) {
  auto detached = Detached([this, account = std::move(account), index,
                            done = std::move(done)](ForwardReply reply) mutable {
    if (reply.write.fate != replication::Fate::kApplied) return done({});
    if (driver_->GetStatus().applied_index < index) {
      world_.Violate(absl::StrCat("branch ", id().value, " waited for index ", index.value,
                                  " and has not applied it"));
    }
    done({true, driver_->ledger().Query(account)});
  });
  Call([&] {
    driver_->WaitApplied(NowMs(), index, NowMs() + timeout_ms, Waited(std::move(detached)));
  });
}

void BranchProcess::ReadAtLeast(std::string account, Position minimum, int64_t timeout_ms,
                                ReadDone done) {
  Enter([this, account = std::move(account), minimum, timeout_ms,
         done = std::move(done)]() mutable {
    auto detached = Detached(
        [this, account = std::move(account), done = std::move(done)](ForwardReply reply) mutable {
          if (reply.write.fate != replication::Fate::kApplied) return done({});
          done({true, driver_->ledger().Query(account)});
        });
    Call([&] {
      driver_->WaitPosition(NowMs(), minimum, NowMs() + timeout_ms, Waited(std::move(detached)));
    });
  });
}

replication::Replicator::ReadCallback BranchProcess::Waited(ForwardDone done) {
  return [done = std::move(done)](absl::Status status) mutable {
    ForwardReply reply;
    if (status.ok()) reply.write.fate = replication::Fate::kApplied;
    done(std::move(reply));
  };
}

BranchProcess::ForwardDone BranchProcess::Detached(ForwardDone done) {
  return [this, life = life_, done = std::move(done)](ForwardReply reply) mutable {
    if (life != life_ || !up()) return;
    Later(0,
          [done = std::move(done), reply = std::move(reply)]() mutable { done(std::move(reply)); });
  };
}

void BranchProcess::Forward(BranchId leader, std::string batch, uint64_t count, bool read_index,
                            int64_t timeout_ms, ForwardDone done) {
  const uint64_t number = ++forwards_;
  forwards_open_.emplace(number, std::move(done));
  Later(timeout_ms * kMillisecond, [this, number] { OnForwardReply(number, {}); });
  BranchProcess* const receiver = world_.branches[leader.value - 1];
  world_.network.Send(node(), receiver->node(), Lane::kForward, 0,
                      [receiver, from = id(), number, batch = std::move(batch), count, read_index,
                       timeout_ms]() mutable {
                        receiver->Enter([receiver, from, number, batch = std::move(batch), count,
                                         read_index, timeout_ms]() mutable {
                          receiver->OnForwarded(from, number, std::move(batch), count, read_index,
                                                timeout_ms);
                        });
                      });
}

void BranchProcess::OnForwarded(BranchId from, uint64_t number, std::string batch, uint64_t count,
                                bool read_index, int64_t timeout_ms) {
  BranchProcess* const asker = world_.branches[from.value - 1];
  auto reply_to = Detached([this, asker, number](ForwardReply reply) {
    world_.network.Send(node(), asker->node(), Lane::kForward, 0,
                        [asker, number, reply = std::move(reply)]() mutable {
                          asker->Enter([asker, number, reply = std::move(reply)]() mutable {
                            asker->OnForwardReply(number, std::move(reply));
                          });
                        });
  });
  Call([&] {
    if (read_index) {
      driver_->ReadIndex(NowMs(), NowMs() + timeout_ms,
                         [reply_to = std::move(reply_to)](absl::StatusOr<LogIndex> index) mutable {
                           reply_to({{}, index.ok() ? *index : LogIndex(0)});
                         });
    } else {
      driver_->Propose(NowMs(), std::move(batch), count, NowMs() + timeout_ms,
                       [reply_to = std::move(reply_to)](replication::ProposeResult result) mutable {
                         reply_to({std::move(result), {}});
                       });
    }
  });
}

void BranchProcess::OnForwardReply(uint64_t number, ForwardReply reply) {
  const auto it = forwards_open_.find(number);
  if (it == forwards_open_.end()) return;  // timed out, or answered
  ForwardDone done = std::move(it->second);
  forwards_open_.erase(it);
  done(std::move(reply));
}

}  // namespace bank::sim
