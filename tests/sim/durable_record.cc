#include "tests/sim/durable_record.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace bank::sim {

void DurableRecord::OnAppendBegins(LogIndex first, const std::vector<storage::Entry>& entries) {
  // From here to the sync the disk may hold the old entries, the new ones, or a part of these.
  durable_last_ = std::min(durable_last_, LogIndex(first.value - 1));
  if (!written_.Append(first, entries)) written_.Reset(first.Plus(entries.size()));
}

void DurableRecord::OnSynced() { durable_last_ = std::max(written_.last(), snapshot_); }

void DurableRecord::OnSnapshotSaved(LogIndex index) { snapshot_ = std::max(snapshot_, index); }

void DurableRecord::OnInstallBegins(LogIndex index) {
  durable_last_ = std::min(durable_last_, index);
}

void DurableRecord::OnInstallDone(LogIndex index) {
  snapshot_ = std::max(snapshot_, index);
  written_.Reset(index.Next());
  durable_last_ = index;
}

std::string DurableRecord::Compare(const storage::Recovered& found) {
  const LogIndex found_snapshot = found.snapshot ? found.snapshot->index : LogIndex(0);
  const LogIndex found_last =
      std::max(found_snapshot, LogIndex(found.first_index.value + found.entries.size() - 1));
  if (found.hard_state != hard_state_ &&
      !(hard_state_next_ && found.hard_state == *hard_state_next_)) {
    return absl::StrCat("the vote changed on the disk: term ", found.hard_state.term.value,
                        " vote ", found.hard_state.vote.value, " found, term ",
                        hard_state_.term.value, " vote ", hard_state_.vote.value, " written");
  }
  if (found_snapshot < snapshot_) {
    return absl::StrCat("snapshot ", snapshot_.value, " was durable, ", found_snapshot.value,
                        " is what the disk holds");
  }
  if (found_last < durable_last_) {
    return absl::StrCat("the log was durable to ", durable_last_.value, " and ends at ",
                        found_last.value);
  }
  for (size_t i = 0; i < found.entries.size(); ++i) {
    const LogIndex index = found.first_index.Plus(i);
    const EntryId* const wanted = index > durable_last_ ? nullptr : written_.Find(index);
    if (wanted != nullptr && *wanted != EntryId::Of(found.entries[i])) {
      return absl::StrCat("another entry at index ", index.value, " than was made durable");
    }
  }
  Take(found);
  return "";
}

void DurableRecord::Take(const storage::Recovered& found) {
  hard_state_ = found.hard_state;
  hard_state_next_.reset();
  snapshot_ = found.snapshot ? found.snapshot->index : LogIndex(0);
  written_.Reset(found.first_index);
  written_.Append(found.first_index, found.entries);
  durable_last_ = std::max(snapshot_, written_.last());
}

}  // namespace bank::sim
