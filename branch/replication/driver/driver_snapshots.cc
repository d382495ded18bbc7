#include <utility>

#include "branch/replication/driver/driver_state.h"
#include "common/check.h"

namespace bank::replication {

void Driver::State::TakeSnapshot() {
  const LogIndex newest = snapshot.has_value() ? snapshot->index : LogIndex(0);
  if (preparing.has_value() || taking.has_value() || installing.has_value() ||
      last_applied <= newest || configuration.empty()) {
    return;
  }
  preparing = last_applied;
  ports.QueuePrepareSnapshot(
      {last_applied, applied_term, configuration_index, configuration, ledger.Freeze()});
}

void Driver::State::OnSnapshotPrepared(storage::Snapshot prepared) {
  BANK_CHECK(preparing == prepared.index) << prepared.index.value;
  preparing.reset();
  // One from the leader began to replace the log meanwhile, or has.
  if (installing.has_value() || (snapshot.has_value() && snapshot->index >= prepared.index)) return;
  taking = std::move(prepared);
  // The disk works in order: the log up to here is durable before the snapshot is the newest.
  ports.QueueSaveSnapshot(taking->index);
}

void Driver::State::OnSnapshotSaved(LogIndex index) {
  if (!taking.has_value() || taking->index != index) return;
  storage::Snapshot taken = *std::exchange(taking, std::nullopt);
  // One from the leader began to replace the log meanwhile, or passed it.
  if (installing.has_value() || (snapshot.has_value() && snapshot->index >= index)) return;
  snapshot = std::move(taken);
  engine.SnapshotTaken(now_ms, *snapshot);
  // As the engine cuts its own record of the log.
  if (index.value <= options.trailing_entries) return;
  const LogIndex first(index.value - options.trailing_entries + 1);
  if (first <= log.first_index()) return;
  log.TrimBefore(first);
  ports.QueueTrimPrefix(first);
}

void Driver::State::OnInstallSnapshot(BranchId from, const InstallSnapshot& message,
                                      const Message& whole) {
  const LogIndex newest = snapshot.has_value() ? snapshot->index : LogIndex(0);
  const bool wanted = !installing.has_value() && message.snapshot.index > newest &&
                      message.snapshot.index > last_applied && message.snapshot.state != nullptr;
  if (wanted) {
    // Decoded before it replaces anything: a state that does not add up is not taken.
    absl::StatusOr<ledger::Ledger> decoded =
        ledger::Ledger::DecodeSnapshot(*message.snapshot.state);
    if (!decoded.ok()) return;
    offered = Installing{message.snapshot, *std::move(decoded)};
  } else if (message.snapshot.index > last_applied && Guarded(9)) {
    return;
  }
  engine.Receive(now_ms, from, whole);
  offered.reset();
}

void Driver::State::OnSnapshot() {
  BANK_CHECK(offered.has_value());
  installing = std::exchange(offered, std::nullopt);
  log.Reset(installing->snapshot.index.Next());
  ports.QueueInstallSnapshot(installing->snapshot);
}

void Driver::State::OnSnapshotInstalled(LogIndex index) {
  if (!installing.has_value() || installing->snapshot.index != index) return;
  BANK_CHECK(index > last_applied) << index.value << " is not above " << last_applied.value;
  Installing done = *std::exchange(installing, std::nullopt);
  ports.BeginApply();
  ledger = std::move(done.ledger);
  last_applied = index;
  applied_term = done.snapshot.term;
  ports.EndApply();
  configuration = done.snapshot.configuration;
  configuration_index = done.snapshot.configuration_index;
  OnMembersCommitted();
  snapshot = std::move(done.snapshot);
  proposals.OnSkipped(index);
  engine.SnapshotInstalled(now_ms, *snapshot);
}

}  // namespace bank::replication
