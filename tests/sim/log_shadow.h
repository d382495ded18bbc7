// LogShadow: the identities of a row of log entries, kept beside the log that is under test.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "common/ids.h"
#include "tests/sim/entry_id.h"

namespace bank::sim {

class LogShadow {
 public:
  LogIndex first() const { return first_; }
  LogIndex last() const { return LogIndex(first_.value + ids_.size() - 1); }

  const EntryId* Find(LogIndex index) const {
    if (index < first_ || index > last()) return nullptr;
    return &ids_[index.value - first_.value];
  }

  // Empty; the next entry is `first`.
  void Reset(LogIndex first) {
    first_ = first;
    ids_.clear();
  }
  // Replaces what stood at `first` and behind. False if that would leave a gap.
  bool Append(LogIndex first, const std::vector<storage::Entry>& entries) {
    if (ids_.empty() && first > first_) first_ = first;
    if (first < first_ || first.value > last().value + 1) return false;
    ids_.resize(first.value - first_.value);
    for (const storage::Entry& entry : entries) ids_.push_back(EntryId::Of(entry));
    return true;
  }
  void DropBefore(LogIndex first) {
    while (!ids_.empty() && first_ < first) {
      ids_.pop_front();
      first_ = first_.Next();
    }
  }

 private:
  LogIndex first_{1};
  std::deque<EntryId> ids_;
};

}  // namespace bank::sim
