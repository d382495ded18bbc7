// DurableRecord: what a disk has promised to keep, and so what a branch must find when it starts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "branch/storage/entry.h"
#include "common/ids.h"
#include "tests/sim/log_shadow.h"

namespace bank::sim {

class DurableRecord {
 public:
  void OnHardStateBegins(const storage::HardState& state) { hard_state_next_ = state; }
  void OnHardStateDone() {
    hard_state_ = *hard_state_next_;
    hard_state_next_.reset();
  }
  void OnAppendBegins(LogIndex first, const std::vector<storage::Entry>& entries);
  void OnSynced();
  void OnSnapshotSaved(LogIndex index);
  void OnInstallBegins(LogIndex index);
  void OnInstallDone(LogIndex index);

  // Nothing but a bootstrap was ever durable: the folder may be a new one.
  // Durably holds more than the bootstrap.
  bool filled() const { return durable_last_ > LogIndex(1) || snapshot_ > LogIndex(1); }
  bool empty() const { return hard_state_ == storage::HardState{} && durable_last_ <= LogIndex(1); }
  // True if a power loss now would leave this very entry at `index`, or a snapshot in its place.
  bool Keeps(LogIndex index, const EntryId& entry) const {
    const EntryId* const written = written_.Find(index);
    return index <= durable_last_ && (written == nullptr || *written == entry);
  }
  // An empty string, or what is missing. Afterwards the record is what was found.
  std::string Compare(const storage::Recovered& found);
  // Takes what was found without judging it: the folder was damaged, and is being rebuilt.
  void Take(const storage::Recovered& found);

 private:
  storage::HardState hard_state_;
  std::optional<storage::HardState> hard_state_next_;  // being written
  LogShadow written_;                                  // durable up to durable_last_
  LogIndex durable_last_;
  LogIndex snapshot_;
};

}  // namespace bank::sim
