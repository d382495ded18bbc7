// Agreement: do the branches hold the same state? PURE.
//
// Two digests are compared only where both branches had applied the same entries of the log. A
// position in the bank's order does not do: an entry that holds only retries changes the sessions
// and takes no position. A branch may be noted at many entries and at different times, so branches
// are compared while they move. A difference that was seen once stays. One owner.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"

namespace bank {

enum class AgreementState {
  kUnknown,  // no entry at which all live branches were seen
  kHolds,    // equal on all branches
  kPartial,  // equal on the live branches; others are missing
  kBroken,   // two branches differ at one entry
};

class Agreement {
 public:
  // Entries remembered; enough for the checkpoints of branches that are some seconds apart.
  static constexpr size_t kEntriesDefault = 256;

  explicit Agreement(size_t entries_max = kEntriesDefault) : entries_max_(entries_max) {}

  // `branch` has applied the entries up to `applied`, 0 excluded, and has this digest there.
  void Note(BranchId branch, LogIndex applied, std::string_view digest);

  // Which branches have which digest after the entries up to `applied`.
  struct Difference {
    LogIndex applied;
    std::map<std::string, std::set<BranchId>> branches_of;  // by digest; at least two
    // One line, as in "branches 1, 3 and branch 2 differ at entry 10: <digest> and <digest>".
    std::string Text() const;
  };
  // The first that was seen.
  const std::optional<Difference>& difference() const { return difference_; }

  struct Verdict {
    AgreementState state = AgreementState::kUnknown;
    LogIndex applied;    // the newest entry at which all live branches were seen; 0: none
    std::string detail;  // one line for people
  };
  // `members` is the number of all branches, `live` names those that answer.
  Verdict Judge(const std::vector<BranchId>& live, size_t members) const;

 private:
  const size_t entries_max_;
  std::map<LogIndex, std::map<BranchId, std::string>> by_entry_;  // the newest entries_max_
  std::optional<Difference> difference_;
};

}  // namespace bank
