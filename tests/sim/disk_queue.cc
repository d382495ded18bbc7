#include "tests/sim/disk_queue.h"

#include <utility>

namespace bank::sim {
namespace {

constexpr size_t kGroupMax = 16;

bool IsAppend(const DiskOrder& order) { return std::holds_alternative<AppendOrder>(order); }

}  // namespace

void DiskQueue::Push(DiskOrder order) {
  waiting_.push_back(std::move(order));
  if (!busy_) Begin();
}

void DiskQueue::Begin() {
  busy_ = true;
  owner_.later(Delay(), [this] {
    group_.clear();
    do {
      group_.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    } while (IsAppend(group_.back()) && !waiting_.empty() && IsAppend(waiting_.front()) &&
             group_.size() < kGroupMax);
    for (const DiskOrder& order : group_) {
      const absl::Status status = Carry(order);
      if (!status.ok()) return owner_.failed(status);
    }
    if (!IsAppend(group_.front())) return Finish(absl::OkStatus());
    owner_.later(Delay(), [this] { Finish(storage_.Sync()); });
  });
}

absl::Status DiskQueue::Carry(const DiskOrder& order) {
  if (const auto* append = std::get_if<AppendOrder>(&order)) {
    record_.OnAppendBegins(append->first, append->entries);
    return storage_.Append(append->first, append->entries);
  }
  if (const auto* save = std::get_if<SaveOrder>(&order)) {
    absl::Status status = storage_.SaveSnapshot(save->index);
    if (status.ok()) record_.OnSnapshotSaved(save->index);
    return status;
  }
  if (const auto* install = std::get_if<InstallOrder>(&order)) {
    record_.OnInstallBegins(install->snapshot.index);
    absl::Status status = storage_.InstallSnapshot(install->snapshot);
    if (status.ok()) record_.OnInstallDone(install->snapshot.index);
    return status;
  }
  if (const auto* trim = std::get_if<TrimOrder>(&order)) return storage_.TrimPrefix(trim->first);
  return storage_.FinishRebuild(std::get<FinishRebuildOrder>(order).vote_floor);
}

void DiskQueue::Finish(const absl::Status& status) {
  if (!status.ok()) return owner_.failed(status);
  if (IsAppend(group_.front())) record_.OnSynced();
  // An answer may bring new orders; they wait until this group is through.
  const std::vector<DiskOrder> done = std::move(group_);
  for (const DiskOrder& order : done) owner_.done(order);
  busy_ = false;
  if (!waiting_.empty()) Begin();
}

}  // namespace bank::sim
