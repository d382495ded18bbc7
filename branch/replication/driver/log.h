// Log: the entries in memory, from first_index() on. The engine knows their terms, this their
// contents; both are cut and trimmed in the same places.
#pragma once

#include <deque>
#include <utility>

#include "branch/storage/entry.h"
#include "common/check.h"
#include "common/ids.h"

namespace bank::replication {

class Log {
 public:
  LogIndex first_index() const { return first_; }
  // first_index() - 1 if empty.
  LogIndex last_index() const { return LogIndex(first_.value + entries_.size() - 1); }
  size_t size() const { return entries_.size(); }

  // Null if it is not here (any more). Valid until the log is changed.
  const storage::Entry* Find(LogIndex index) const {
    if (index < first_ || index > last_index()) return nullptr;
    return &entries_[index.value - first_.value];
  }

  void Append(storage::Entry entry) { entries_.push_back(std::move(entry)); }

  // Drops the entries at `index` and above.
  void TruncateFrom(LogIndex index) {
    BANK_CHECK(index >= first_) << index.value << " is below the log's first " << first_.value;
    while (!entries_.empty() && last_index() >= index) entries_.pop_back();
  }

  // Drops the entries below `first`; never more than there are.
  void TrimBefore(LogIndex first) {
    while (!entries_.empty() && first_ < first) {
      entries_.pop_front();
      first_ = first_.Next();
    }
  }

  // Drops everything; the next entry comes at `first`.
  void Reset(LogIndex first) {
    entries_.clear();
    first_ = first;
  }

 private:
  LogIndex first_{1};
  std::deque<storage::Entry> entries_;
};

}  // namespace bank::replication
