// Proposals: group commit, and what becomes of each proposal.
//
// Proposals gather until an entry is cut from them; every entry is remembered by its index and
// term until that index is applied. Fates (see Replicator::Propose):
//   applied      the entry of that term was applied at that index
//   not_applied  it never left this class, or another entry was committed at its index
//   unknown      its deadline passed, or a snapshot went past its index
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "branch/ledger/outcome.h"
#include "branch/replication/driver/completions.h"
#include "branch/replication/driver/driver.h"
#include "branch/replication/driver/waiters.h"
#include "common/ids.h"

namespace bank::replication {

class Proposals {
 public:
  Proposals(const DriverOptions& options, Completions& due) : options_(options), due_(due) {}

  void Add(std::string batch, uint64_t count, int64_t deadline_ms,
           Replicator::ProposeCallback done);

  // Whether an entry should be cut now: at once if none of ours is open; else when it is full, or
  // when one was committed since the last cut, but never more than entries_open_max at a time.
  // An entry much smaller than the one before it waits entry_linger_ms for company: the answers of
  // that one have just set its customers free. A lone customer never waits.
  bool WantsCut(int64_t now_ms);

  // What the next entry holds: joined batches and their number of commands. Only if WantsCut().
  const std::string& next_batch() const { return gathering_.front().batch; }
  uint64_t next_count() const { return gathering_.front().count; }
  // It was given to the engine, which put it at `index`; it is a cut now.
  void Submitted(LogIndex index, Term term);

  // Every command entry that is applied, in order. `outcomes` of its commands may be moved from.
  void OnApplied(LogIndex index, Term term, std::vector<ledger::Outcome>& outcomes);
  // Entries without outcomes (barriers, changes), in the same order.
  void OnOtherApplied(LogIndex index, Term term) { Settle(index, term, nullptr); }
  // A snapshot replaced everything up to `index`.
  void OnSkipped(LogIndex index);
  void OnLeadershipLost() { NotApplied("this branch does not lead any more"); }
  // The branch stops: the fate of what is in the log is not known here any more.
  void Stop(const std::string& reason);
  void Expire(int64_t now_ms);

  int64_t deadline_ms() const { return std::min(deadline_ms_, linger_until_ms_); }
  uint64_t open_entries() const { return open_.size(); }
  // Something waits to be cut: an entry will follow, at the latest when the linger is over.
  bool gathering() const { return !gathering_.empty(); }

 private:
  struct Waiter {
    uint64_t count;
    uint64_t bytes;
    int64_t deadline_ms;
    Replicator::ProposeCallback done;  // null once its deadline passed
  };
  struct OpenEntry {
    LogIndex index;
    Term term;
    uint64_t bytes = 0;
    std::vector<Waiter> waiters;
  };
  // The contents of one entry to be.
  struct Gathering {
    std::string batch;
    uint64_t count = 0;
    std::vector<Waiter> waiters;
  };

  // What still gathers is certainly in no log; entries become orphans.
  void NotApplied(const std::string& reason);
  // Orphans up to `index` are given up.
  void Unknown(LogIndex index, const std::string& reason);
  void Settle(LogIndex index, Term term, std::vector<ledger::Outcome>* outcomes);
  void Finish(OpenEntry& entry, std::vector<ledger::Outcome>* outcomes);
  void ExpireOpen(int64_t now_ms, OpenEntry& entry);
  void ExpireGathering(int64_t now_ms, Gathering& gathering);

  const DriverOptions& options_;
  Completions& due_;

  std::deque<Gathering> gathering_;  // all but the last are full
  uint64_t gathering_bytes_ = 0;
  std::deque<OpenEntry> open_;                  // of this leadership, by index
  std::multimap<LogIndex, OpenEntry> orphans_;  // of former ones
  bool committed_since_cut_ = false;
  uint64_t last_count_ = 0;           // commands of the entry cut last
  int64_t linger_until_ms_ = kNever;  // nothing waits for company
  bool lingered_ = false;             // what gathers has waited for company long enough
  uint64_t open_bytes_ = 0;           // of open_ and orphans_
  int64_t deadline_ms_ = kNever;
};

}  // namespace bank::replication
