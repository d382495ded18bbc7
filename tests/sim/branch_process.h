// BranchProcess: one simulated branch: the production teller, proposal router, driver, ledger and
// storage on a simulated disk, clock and network, in a process that can be paused, killed and
// started again. Its members live in one file per noun:
//   branch_process.cc  the process: its power, and who calls it
//   branch_folder.cc   its disk
//   branch_ports.cc    what its driver asks of the world
//   branch_time.cc     its steps and timers
//
// What a power loss or a failed write must prevent is kept by one rule: from that moment on nothing
// leaves the process any more (no message, no disk order, no answer), though the call that was
// running returns first.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "branch/replication/driver/driver.h"
#include "branch/storage/storage.h"
#include "tests/sim/call.h"
#include "tests/sim/client_frontend.h"
#include "tests/sim/disk_queue.h"
#include "tests/sim/durable_record.h"
#include "tests/sim/log_shadow.h"
#include "tests/sim/skewed_clock.h"
#include "tests/sim/world.h"
#include "tests/support/sim_file_system.h"

namespace bank::sim {

class BranchProcess final : public replication::DriverPorts {
 public:
  enum class State {
    kDown,
    kUp,
    kEnding,   // stopped by a failure of its disk; nothing leaves it any more
    kDamaged,  // refused to start: DataLoss
  };
  enum class Cause { kKilled, kPowerLoss };  // kKilled: the page cache survives

  BranchProcess(World& world, replication::DriverOptions options,
                storage::StorageOptions storage_options);
  ~BranchProcess() override;

  BranchId id() const { return options_.self; }
  NodeId node() const { return options_.self.value; }
  State state() const { return state_; }
  bool up() const { return state_ == State::kUp; }
  bool paused() const { return paused_; }
  // Its folder is not, or not known to be, whole: it must not count towards a majority.
  bool recovering() const { return rebuilding_ || damaged_; }
  // Holds more than the bootstrap. One that does not may find the bank there, and then cannot know
  // that it was not wiped: it must not count towards a majority either.
  bool filled() const { return record_.filled(); }
  const replication::ReplicatorStatus& status() const { return status_; }  // of the last step

  // As this branch knows it, or knew it when it went down.
  const replication::Membership& membership() const { return membership_; }

  const ledger::Ledger& ledger() const { return driver_->ledger(); }  // while it is up

  // The power of the machine and the process.
  void Start(storage::OnDamage on_damage = storage::OnDamage::kRefuse);
  void Stop(Cause cause);
  void Pause();
  void Resume();

  // What was said in the name of that branch.
  void OnMessage(BranchId from, replication::Message message);
  // Its connection with that branch has ended.
  void OnConnectionLost(BranchId lost);

  // What the faults reach for.
  SimFileSystem& files() { return *files_; }
  DiskQueue::Pace& disk_pace() { return disk_pace_; }
  SkewedClock& clock() { return clock_; }
  void OnClockChanged();
  void TakeSnapshot();
  // 0: to whom the branch thinks best. A branch that is down or paused never answers.
  void TransferLeadership(BranchId to, replication::Replicator::ReadCallback done);
  void ChangeMember(const replication::MemberChange& change, int64_t timeout_ms,
                    replication::ChangeCallback done);
  // A byte on the disk was changed behind the branch's back: a refusal to start is right.
  void MarkDamaged() { damaged_ = true; }
  void WipeFolder();
  void ForgetFolder();  // likewise, and the operator does not know
  // The folder as it stood at an earlier time, as an operator might bring it back from a backup.
  void RestoreFolder(const SimFileSystem::Image& image);

  // What customers and other branches call; `done` runs at most once, and never after the end of
  // the process.
  void Serve(const Call& call, absl::AnyInvocable<void(CallReply)> done);
  void OnForward(PeerCaller caller, replication::ForwardRequest request);
  replication::Peers& peers() { return client_frontend_->peers(); }

  // For the parts of the process.
  uint64_t life() const { return life_; }
  const Clock& steady_clock() const { return steady_clock_; }
  // Runs `task` inside the process: not after its end, and not while it is paused.
  void Later(SimTime delay, Scheduler::Task task);
  // A callback that gives its result to `done` in a later step.
  template <class Result>
  absl::AnyInvocable<void(Result)> InNextStep(absl::AnyInvocable<void(Result)> done) {
    return [this, done = std::move(done)](Result result) mutable {
      Later(0, [done = std::move(done), result = std::move(result)]() mutable {
        done(std::move(result));
      });
    };
  }
  // Calls the driver and looks at what became of it.
  template <class F>
  void Drive(F&& call) {
    call(*driver_, NowMs());
    if (!up()) return;
    Inspect();
    ArmTimer();
  }
  void ArmTimer();

 private:
  // replication::DriverPorts
  void Send(BranchId to, replication::Message message) override;
  void WriteHardState(const storage::HardState& state) override;
  void WriteRebuilding() override;
  void QueueAppend(LogIndex first, std::vector<storage::Entry> entries) override;
  void QueuePrepareSnapshot(replication::SnapshotDraft draft) override;
  void QueueSaveSnapshot(LogIndex index) override;
  void QueueInstallSnapshot(storage::Snapshot snapshot) override;
  void QueueTrimPrefix(LogIndex first) override;
  void QueueFinishRebuild(Term vote_floor) override;
  void OnRefused(BranchId from, const char* reason) override;
  void OnRemoved(bool removed, BranchId witness) override;
  void Fatal(const std::string& reason) override;
  void BeginApply() override;
  void EndApply() override;

  bool OpenFolder(storage::OnDamage on_damage, storage::OpenedStorage* opened);
  bool Found(storage::OpenedStorage* opened);
  void OnDiskDone(const DiskOrder& order);
  void OnDiskFailed(const absl::Status& status);
  void End();  // after a failure: buries the process once the running call has returned
  void Bury();

  int64_t NowMs() const { return clock_.LocalMs(world_.scheduler.now()); }
  void Enter(Scheduler::Task task);
  void CheckPromise(const replication::Message& message);
  void Inspect();
  void TellPromotion(const replication::Membership& before);
  int64_t NextDeadlineMs() const;
  void ArmTimerAt(SimTime when);
  void OnTimer();

  World& world_;
  replication::DriverOptions options_;
  storage::StorageOptions storage_options_;
  bool initial_member_ = false;
  Random random_;
  SkewedClock clock_;
  ProcessClock steady_clock_{world_.scheduler, clock_};
  std::unique_ptr<SimFileSystem> files_;
  DiskQueue::Pace disk_pace_;
  DurableRecord record_;
  bool damaged_ = false;
  bool wiped_ = false;     // nothing is known of its vote: it must not start without kRebuild
  bool forgot_ = false;    // wiped, and nobody knows it: it starts as a new one
  bool old_copy_ = false;  // the folder is older than what this branch has acknowledged
  bool rebuilding_ = false;
  bool lost_log_ = false;  // as the driver knows it: its finish may still be on the way to the disk

  State state_ = State::kDown;
  uint64_t life_ = 0;  // number of this start
  bool paused_ = false;
  std::deque<Scheduler::Task> backlog_;  // of a paused process

  // One life's.
  std::unique_ptr<storage::Storage> storage_;
  std::unique_ptr<DiskQueue> disk_;
  std::unique_ptr<replication::Driver> driver_;
  std::unique_ptr<ClientFrontend> client_frontend_;
  LogShadow log_;  // the log in the driver's memory
  LogIndex inspected_;
  replication::ReplicatorStatus status_;
  replication::Membership membership_;
  bool applying_ = false;
  bool just_installed_ = false;  // a snapshot, and has no entry after it yet
  bool preparing_ = false;       // a snapshot is on its way to the disk
  SimTime timer_at_ = -1;        // when the earliest timer task runs; -1: none
  uint64_t timer_number_ = 0;
};

}  // namespace bank::sim
