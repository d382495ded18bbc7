// Project 2's outputs: every event of the customers' requests with its logical clock, in the
// course's forms.
//
// Pure. The forms are written strictly: keys in the course's order, integers only, no blanks.
// Clocks and order are the branches' own; nothing is invented here.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "course/script.h"
#include "customer/script/answers.h"

namespace bank::script {

// One event at a branch, in the order it happened there.
struct BranchEvent {
  enum class What { kReceivedFromCustomer, kSentToBranch, kReceivedFromBranch, kAnsweredByBranch };
  What what = What::kReceivedFromCustomer;
  uint64_t clock = 0;
  BranchId partner{};   // 0: a customer
  SessionId session{};  // the key of the customer's write
  uint64_t sequence = 0;
};
using BranchEvents = std::map<BranchId, std::vector<BranchEvent>>;

// The three parts since 2023: per customer element, per branch, and the flat list of all events, by
// request and then by clock. Each is the inside of a JSON array.
struct ClockParts {
  std::string customers;
  std::string branches;
  std::string flat;
};
// `answers`: complete, one for each operation of the script. Events of keys that are not among them
// (somebody else's writes) are left out.
ClockParts FormatClocks(const Script& script, const std::vector<EntryAnswers>& answers,
                        const BranchEvents& events);

// One array of all three, and an end of line.
std::string JoinParts(const ClockParts& parts);

// The form from 2021 to spring 2023: a block of sub-events per branch, then one per write. Its
// rules count more events than those since 2023, so the clocks are counted anew, by those rules,
// along the order in which things happened. FailedPrecondition if no such order is in `events`.
absl::StatusOr<std::string> FormatClockBlocks(const Script& script,
                                              const std::vector<EntryAnswers>& answers,
                                              const BranchEvents& events);

}  // namespace bank::script
