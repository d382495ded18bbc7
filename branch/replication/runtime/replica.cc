#include "branch/replication/runtime/replica.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/time/time.h"
#include "common/check.h"
#include "spdlog/spdlog.h"

namespace bank::replication {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

bool IsNews(const ReplicatorStatus& before, const ReplicatorStatus& now) {
  return before.role != now.role || before.term != now.term || before.leader != now.leader ||
         before.ready != now.ready || before.bootstrapping != now.bootstrapping ||
         before.rebuilding != now.rebuilding || before.snapshot_index != now.snapshot_index;
}

}  // namespace

Replica::Replica(const DriverOptions& options, storage::Storage& storage, const Clock& clock,
                 Peers& peers, ProposalRouter& router, FatalHandler on_fatal)
    : self_(options.self),
      storage_(storage),
      clock_(clock),
      peers_(peers),
      router_(router),
      on_fatal_(std::move(on_fatal)),
      driver_(std::make_unique<Driver>(options, static_cast<DriverPorts&>(*this))) {}

Replica::~Replica() { Stop(); }

absl::Status Replica::Start(storage::Recovered recovered) {
  disk_ = std::make_unique<DiskQueue>(
      storage_, clock_, metrics_,
      [this](std::vector<DiskJob> jobs) { Put(InDurable{std::move(jobs)}, Wake::kNow); },
      [this](absl::Status status) { Fail(status); });
  writer_ = std::make_unique<SnapshotWriter>(
      storage_,
      [this](storage::Snapshot snapshot) { Put(InPrepared{std::move(snapshot)}, Wake::kNow); },
      [this](absl::Status status) { Fail(status); });
  if (auto status = driver_->Start(clock_.NowMs(), std::move(recovered)); !status.ok()) {
    writer_->Stop();
    disk_->Stop();
    return status;
  }
  Publish();
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void Replica::Stop() {
  {
    absl::MutexLock lock(&inbox_mutex_);
    if (stopped_) return;
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
  if (writer_ != nullptr) writer_->Stop();
  if (disk_ != nullptr) disk_->Stop();
  std::vector<Input> rest;
  {
    absl::MutexLock lock(&inbox_mutex_);
    stopped_ = true;
    rest.swap(inbox_);
  }
  if (disk_ != nullptr) driver_->Stop(kStopping);
  RunCompletions();
  for (Input& input : rest) Refuse(std::move(input));
}

void Replica::OnMessage(BranchId from, Message message) {
  Put(InMessage{from, std::move(message)}, Wake::kNow);
}

void Replica::OnConnectionLost(BranchId from) { Put(InLost{from}, Wake::kNow); }

void Replica::Propose(std::string batch, uint64_t count, int64_t deadline_ms,
                      Replicator::ProposeCallback done) {
  Put(InProposal{std::move(batch), count, deadline_ms, std::move(done)}, Wake::kUnlessOpen);
}

void Replica::ReadIndex(int64_t deadline_ms, ReadIndexCallback done) {
  Put(InReadIndex{deadline_ms, std::move(done)}, Wake::kNow);
}

void Replica::WaitPosition(Position position, int64_t deadline_ms, Replicator::ReadCallback done) {
  Put(InWait{position, deadline_ms, std::move(done)}, Wake::kNow);
}

void Replica::TakeSnapshot(int64_t deadline_ms, Replicator::ReadCallback done) {
  Put(InSnapshot{deadline_ms, std::move(done)}, Wake::kNow);
}

void Replica::TransferLeadership(BranchId to, Replicator::ReadCallback done) {
  Put(InTransfer{to, std::move(done)}, Wake::kNow);
}

void Replica::WakeBy(int64_t deadline_ns) {
  absl::MutexLock lock(&inbox_mutex_);
  if (deadline_ns < armed_ns_) wake_ = true;
}

ledger::Outcome Replica::Query(std::string_view account) const {
  absl::ReaderMutexLock lock(&ledger_mutex_);
  return driver_->ledger().Query(account);
}

void Replica::ReadLedger(absl::FunctionRef<void(const ledger::Ledger&)> read) const {
  absl::ReaderMutexLock lock(&ledger_mutex_);
  read(driver_->ledger());
}

ReplicatorStatus Replica::GetStatus() const {
  absl::MutexLock lock(&status_mutex_);
  return status_;
}

void Replica::Put(Input input, Wake wake) {
  {
    absl::MutexLock lock(&inbox_mutex_);
    if (!stopped_) {
      inbox_.push_back(std::move(input));
      // If the last open proposal is just being completed, the thread is awake and looks at the
      // inbox, under this lock, before it sleeps.
      if (wake == Wake::kNow || metrics_.proposals_open.load(std::memory_order_relaxed) == 0) {
        wake_ = true;
      }
      return;
    }
  }
  Refuse(std::move(input));
}

void Replica::Run() {
  std::vector<Input> inputs;
  for (;;) {
    {
      absl::MutexLock lock(&inbox_mutex_);
      if (!Due() && inbox_.empty()) {
        const int64_t driver_ms = driver_->NextDeadlineMs();
        const int64_t driver_ns = driver_ms > std::numeric_limits<int64_t>::max() / kNsPerMs
                                      ? std::numeric_limits<int64_t>::max()
                                      : driver_ms * kNsPerMs;
        armed_ns_ = std::min(driver_ns, router_.NextDeadlineNs());
        const int64_t wait_ns = armed_ns_ - clock_.NowNs();
        if (wait_ns > 0) {
          inbox_mutex_.AwaitWithTimeout(absl::Condition(this, &Replica::Due),
                                        absl::Nanoseconds(wait_ns));
        }
        armed_ns_ = 0;
      }
      if (stopping_) return;
      wake_ = false;
      inputs.swap(inbox_);
    }
    if (failed_.load(std::memory_order_acquire)) {
      // Nothing may be said any more; Stop() answers what is open.
      absl::MutexLock lock(&inbox_mutex_);
      inbox_.insert(inbox_.begin(), std::make_move_iterator(inputs.begin()),
                    std::make_move_iterator(inputs.end()));
      inbox_mutex_.Await(absl::Condition(&stopping_));
      return;
    }
    const int64_t now_ms = clock_.NowMs();
    for (Input& input : inputs) Handle(now_ms, std::move(input));
    inputs.clear();
    if (driver_->NextDeadlineMs() <= now_ms) driver_->OnTimer(now_ms);
    if (failed_.load(std::memory_order_acquire)) continue;
    Publish();
    RunCompletions();
    const int64_t now_ns = clock_.NowNs();
    if (router_.NextDeadlineNs() <= now_ns) router_.OnTimer(now_ns);
  }
}

Replicator::ReadCallback Replica::Later(Replicator::ReadCallback done) {
  return [this, done = std::move(done)](absl::Status status) mutable {
    completions_.push_back(StatusDone{std::move(done), std::move(status)});
  };
}

void Replica::Handle(int64_t now_ms, Input input) {
  std::visit(
      Overloaded{
          [&](InMessage& in) { driver_->OnMessage(now_ms, in.from, std::move(in.message)); },
          [&](InLost& in) { driver_->OnConnectionLost(now_ms, in.from); },
          [&](InDurable& in) {
            for (DiskJob& job : in.jobs) {
              if (auto* append = std::get_if<DiskAppend>(&job)) {
                driver_->OnAppended(now_ms, append->first, append->entries);
              } else if (auto* save = std::get_if<DiskSaveSnapshot>(&job)) {
                NoteSnapshot();
                driver_->OnSnapshotSaved(now_ms, save->index);
              } else if (auto* install = std::get_if<DiskInstallSnapshot>(&job)) {
                NoteSnapshot();
                driver_->OnSnapshotInstalled(now_ms, install->snapshot.index);
              }
            }
          },
          [&](InPrepared& in) { driver_->OnSnapshotPrepared(now_ms, std::move(in.snapshot)); },
          [&](InProposal& in) {
            metrics_.proposals_open.fetch_add(1, std::memory_order_relaxed);
            driver_->Propose(
                now_ms, std::move(in.batch), in.count, in.deadline_ms,
                [this, done = std::move(in.done)](ProposeResult result) mutable {
                  metrics_.proposals_open.fetch_sub(1, std::memory_order_relaxed);
                  completions_.push_back(ProposalDone{std::move(done), std::move(result)});
                });
          },
          [&](InReadIndex& in) {
            driver_->ReadIndex(
                now_ms, in.deadline_ms,
                [this, done = std::move(in.done)](absl::StatusOr<LogIndex> result) mutable {
                  completions_.push_back(IndexDone{std::move(done), std::move(result)});
                });
          },
          [&](InWait& in) {
            driver_->WaitPosition(now_ms, in.position, in.deadline_ms, Later(std::move(in.done)));
          },
          [&](InSnapshot& in) {
            driver_->TakeSnapshot(now_ms, in.deadline_ms, Later(std::move(in.done)));
          },
          [&](InTransfer& in) {
            driver_->TransferLeadership(now_ms, in.to, Later(std::move(in.done)));
          }},
      input);
}

void Replica::Refuse(Input input) {
  std::visit(Overloaded{[](InMessage&) {}, [](InLost&) {}, [](InDurable&) {}, [](InPrepared&) {},
                        [&](InSnapshot& in) { in.done(absl::UnavailableError(kStopping)); },
                        [&](InProposal& in) {
                          in.done({Fate::kNotApplied, {}, kStopping});
                        },
                        [&](InReadIndex& in) { in.done(absl::UnavailableError(kStopping)); },
                        [&](InWait& in) { in.done(absl::UnavailableError(kStopping)); },
                        [&](InTransfer& in) { in.done(absl::UnavailableError(kStopping)); }},
             input);
}

void Replica::Publish() {
  ReplicatorStatus status = driver_->GetStatus();
  if (status.leader != BranchId(0) && status.term > counted_term_) {
    counted_term_ = status.term;
    metrics_.elections.fetch_add(1, std::memory_order_relaxed);
  }
  bool changed = false;
  {
    absl::MutexLock lock(&status_mutex_);
    changed = IsNews(status_, status);
    status_ = status;
  }
  router_.OnStatus(status);
  if (changed && observe_) observe_(status);
}

void Replica::NoteSnapshot() {
  metrics_.snapshot_durable_ns.store(clock_.NowNs(), std::memory_order_relaxed);
}

void Replica::RunCompletions() {
  // A completion may propose again: that goes to the inbox, never into the driver from here.
  std::vector<Completion> completions;
  completions.swap(completions_);
  for (Completion& completion : completions) {
    std::visit(Overloaded{[](ProposalDone& c) { c.done(std::move(c.result)); },
                          [](IndexDone& c) { c.done(std::move(c.result)); },
                          [](StatusDone& c) { c.done(std::move(c.result)); }},
               completion);
  }
}

void Replica::Fail(const absl::Status& status) {
  if (failed_.exchange(true, std::memory_order_acq_rel)) return;
  spdlog::critical("this branch must stop: {}", status.ToString());
  {
    absl::MutexLock lock(&inbox_mutex_);
    wake_ = true;
  }
  on_fatal_(status);
}

void Replica::Send(BranchId to, Message message) {
  if (failed_.load(std::memory_order_acquire)) return;
  peers_.Send(to, std::move(message));
}

void Replica::WriteHardState(const storage::HardState& state) {
  if (failed_.load(std::memory_order_acquire)) return;
  if (auto status = storage_.WriteHardState(state); !status.ok()) Fail(status);
}

void Replica::WriteRebuilding() {
  if (failed_.load(std::memory_order_acquire)) return;
  spdlog::warn("the data folder is empty and the bank exists: it is filled by the others");
  if (auto status = storage_.BeginRebuild(); !status.ok()) Fail(status);
}

void Replica::QueueAppend(LogIndex first, std::vector<storage::Entry> entries) {
  disk_->Queue(DiskAppend{first, std::move(entries)});
}
void Replica::QueuePrepareSnapshot(SnapshotDraft draft) { writer_->Queue(std::move(draft)); }
void Replica::QueueSaveSnapshot(LogIndex index) { disk_->Queue(DiskSaveSnapshot{index}); }
void Replica::QueueInstallSnapshot(storage::Snapshot snapshot) {
  disk_->Queue(DiskInstallSnapshot{std::move(snapshot)});
}
void Replica::QueueTrimPrefix(LogIndex first) { disk_->Queue(DiskTrimPrefix{first}); }
void Replica::QueueFinishRebuild(Term vote_floor) { disk_->Queue(DiskFinishRebuild{vote_floor}); }

void Replica::Fatal(const std::string& reason) {
  // So that no restart tries again with this folder, and perhaps votes before it is noticed.
  if (auto status = storage_.MarkLost(); !status.ok()) return Fail(status);
  Fail(absl::DataLossError(reason));
}

void Replica::OnRefused(BranchId from, const char* reason) {
  // Whoever makes them up can make up many.
  constexpr int64_t kPauseNs = 1'000'000'000;
  const int64_t now_ns = clock_.NowNs();
  if (refusal_logged_ns_ != 0 && now_ns - refusal_logged_ns_ < kPauseNs) return;
  refusal_logged_ns_ = now_ns;
  spdlog::warn("refused a message in the name of branch {}: {}", from.value, reason);
}

void Replica::OnRemoved(bool removed, BranchId witness) {
  if (!removed) {
    spdlog::info("branch {} leads and speaks to this branch: it is a member of the bank again",
                 witness.value);
  } else if (witness == self_) {
    spdlog::warn("by its own log this branch is no member of the bank: it waits for a leader");
  } else {
    spdlog::warn(
        "branch {} confirms that this branch is no member of the bank any more: it waits "
        "for a leader",
        witness.value);
  }
}

void Replica::BeginApply() { ledger_mutex_.WriterLock(); }
void Replica::EndApply() { ledger_mutex_.WriterUnlock(); }

}  // namespace bank::replication
