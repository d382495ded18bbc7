#include "branch/peers/sender_table.h"

#include "fmt/format.h"

namespace bank::peers {

SenderTable::SenderTable(const std::set<BranchId>& senders) {
  for (BranchId id : senders) slots_.emplace(id, std::make_unique<Slot>());
}

absl::Status SenderTable::CheckKnown(BranchId sender) const {
  if (slots_.contains(sender)) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("branch {} is not a branch of this bank", sender.value));
}

absl::Status SenderTable::Admit(BranchId sender, uint64_t connection) {
  if (auto known = CheckKnown(sender); !known.ok()) return known;
  Slot& slot = *slots_.find(sender)->second;
  absl::MutexLock lock(&slot.mutex);
  if (slot.order.Admit(connection)) return absl::OkStatus();
  return absl::AbortedError("a newer stream of this branch was seen");
}

uint64_t SenderTable::BeginSnapshot(BranchId sender, uint64_t connection) {
  const auto it = slots_.find(sender);
  if (it == slots_.end()) return 0;
  absl::MutexLock lock(&it->second->mutex);
  return it->second->order.current() == connection ? ++it->second->snapshot : 0;
}

bool SenderTable::IsArriving(BranchId sender, uint64_t snapshot) {
  const auto it = slots_.find(sender);
  if (it == slots_.end()) return false;
  absl::MutexLock lock(&it->second->mutex);
  return it->second->snapshot == snapshot;
}

bool SenderTable::Deliver(BranchId sender, uint64_t connection, absl::FunctionRef<void()> deliver) {
  auto it = slots_.find(sender);
  if (it == slots_.end()) return false;
  absl::MutexLock lock(&it->second->mutex);
  if (it->second->order.current() != connection) return false;
  deliver();
  return true;
}

}  // namespace bank::peers
