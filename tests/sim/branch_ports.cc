// What the driver of a branch process asks of the world.
#include "tests/sim/branch_process.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/auditor.h"

namespace bank::sim {
namespace {

// A snapshot's bytes travel apart from the messages and take their time.
constexpr SimTime kSnapshotDelayPerKilobyte = 200;
constexpr SimTime kRepetitionDelayMax = kSecond;
// How much longer than an append the writing of a snapshot may take.
constexpr SimTime kSnapshotWritesPerAppend = 20;

}  // namespace

void BranchProcess::Send(BranchId to, replication::Message message) {
  if (!up()) return;
  if (to.value < 1 || to.value > world_.branches.size() || to == id()) {
    world_.Violate(absl::StrCat("branch ", id().value, " sends to branch ", to.value));
    return;
  }
  CheckPromise(message);
  if (std::holds_alternative<replication::Challenge>(message)) ++world_.statistics.challenges;
  Lane lane = Lane::kMessages;
  SimTime size_delay = 0;
  if (const auto* install = std::get_if<replication::InstallSnapshot>(&message)) {
    lane = Lane::kSnapshots;
    size_delay = static_cast<SimTime>(install->snapshot.state->size() / 1024 + 1) *
                 kSnapshotDelayPerKilobyte;
  }
  BranchProcess* const receiver = world_.branches[to.value - 1];
  const bool twice = !world_.network.keeps_contract() && random_.Permille(50);
  for (int copies = twice ? 2 : 1; copies > 0; --copies) {
    // A repetition can come when all has moved on.
    const bool late = copies == 2 && lane == Lane::kMessages;
    const SimTime delay = late ? random_.Between(0, kRepetitionDelayMax) : size_delay;
    world_.network.Send(node(), receiver->node(), lane, delay,
                        [receiver, from = id(), message]() mutable {
                          receiver->OnMessage(from, std::move(message));
                        });
  }
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

// The state is encoded as late as a slow thread might, and the disk's orders go on meanwhile.
void BranchProcess::QueuePrepareSnapshot(replication::SnapshotDraft draft) {
  if (!up()) return;
  if (std::exchange(preparing_, true)) world_.Violate("two snapshots are prepared at a time");
  const auto delay = [this] {
    return random_.Between(disk_pace_.min, kSnapshotWritesPerAppend * disk_pace_.max);
  };
  Later(delay(), [this, delay, draft = std::move(draft)]() mutable {
    storage::Snapshot snapshot = draft.Encode();
    const absl::Status status = storage_->PrepareSnapshot(snapshot);
    if (!status.ok()) return OnDiskFailed(status);
    Later(delay(), [this, snapshot = std::move(snapshot)]() mutable {
      preparing_ = false;
      Drive([&](replication::Driver& driver, int64_t now_ms) {
        driver.OnSnapshotPrepared(now_ms, std::move(snapshot));
      });
    });
  });
}

void BranchProcess::QueueSaveSnapshot(LogIndex index) {
  if (!up()) return;
  ++world_.statistics.snapshots_taken;
  world_.trace.Note("save snapshot", id().value, index.value);
  disk_->Push(SaveOrder{index});
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

// Every branch tells the truth.
void BranchProcess::OnRefused(BranchId from, const char* reason) {
  if (world_.hears_lies) return;
  world_.Violate(absl::StrCat("branch ", id().value, " refuses a message of branch ", from.value,
                              ": ", reason));
}

void BranchProcess::OnRemoved(bool removed, BranchId witness) {
  world_.trace.Note(removed ? "removed" : "a member again", id().value, witness.value);
  if (!removed || witness == id()) return;
  ++world_.statistics.removals_confirmed;
  if (world_.statistics.member_changes_asked == 0) {
    world_.Violate(absl::StrCat("branch ", id().value, " takes itself for removed, as branch ",
                                witness.value, " says, and nobody was"));
  }
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

}  // namespace bank::sim
