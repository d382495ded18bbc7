// A branch process and its disk: what it finds there when it starts, and what the disk answers.
#include "tests/sim/branch_process.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/sim/nemesis.h"

namespace bank::sim {
namespace {

constexpr char kFolder[] = "/data";
constexpr uint64_t kBankNumber = 42;

}  // namespace

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
  // As RaftReplicator::Start: the vote is written last, a bootstrap cut short is done again.
  const storage::Recovered& found = opened->recovered;
  if (initial_member_ && !found.rebuilding && found.hard_state.term == Term(0) && !found.snapshot &&
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
  storage::Recovered founding = replication::Driver::Bootstrap(options_);
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

void BranchProcess::WipeFolder() {
  for (const std::string& path : files_->Files()) files_->LoseFile(path);
  damaged_ = true;
  wiped_ = true;
}

void BranchProcess::ForgetFolder() {
  files_ = std::make_unique<SimFileSystem>(random_.Next());
  record_ = {};
  forgot_ = true;
}

void BranchProcess::RestoreFolder(const SimFileSystem::Image& image) {
  files_ = std::make_unique<SimFileSystem>(random_.Next(), image);
  old_copy_ = true;
}

void BranchProcess::OnDiskDone(const DiskOrder& order) {
  if (!up()) return;
  if (const auto* append = std::get_if<AppendOrder>(&order)) {
    if (std::exchange(just_installed_, false)) world_.nemesis->OnFirstAfterInstall(*this);
    Drive([&](replication::Driver& driver, int64_t now_ms) {
      driver.OnAppended(now_ms, append->first, append->entries);
    });
  } else if (const auto* save = std::get_if<SaveOrder>(&order)) {
    Drive([&](replication::Driver& driver, int64_t now_ms) {
      driver.OnSnapshotSaved(now_ms, save->index);
    });
  } else if (const auto* install = std::get_if<InstallOrder>(&order)) {
    Drive([&](replication::Driver& driver, int64_t now_ms) {
      driver.OnSnapshotInstalled(now_ms, install->snapshot.index);
    });
    just_installed_ = true;
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

}  // namespace bank::sim
