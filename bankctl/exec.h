// bankctl exec and audit: commands to the bank's agents, and who ran what.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bankctl/commands.h"

namespace bank::bankctl {

struct ExecOptions {
  std::vector<std::string> words;  // BRANCH, COMMAND, its arguments
  std::string id;                  // of the command, if `id_given`; otherwise a new one
  bool id_given = false;
  double deadline_s = 10;
  std::string issuer;
};

// Runs the command and prints what comes. When a branch fails it asks the next one with the same
// id, so that the command runs once. Ctrl-C cancels the command and waits for its end; a second one
// leaves at once.
// An id is remembered by the branch that ran it. So an id of the caller's is refused with "leader",
// who may be another branch the next time, and would run the command once more.
//   0 DONE on every agent; 1 not a command; 2 no such agent; 3 nobody to ask, or the branch (of
//   "all": one of the bank's) is not connected; 4 UNKNOWN; 5 REFUSED; 6 verify-digest found an
//   inconsistency; 7 FAILED, CANCELLED or TIMED_OUT
int Exec(const Context& context, const ExecOptions& options);

// The commands there are, for a usage text.
std::string CommandList();

int ShowAudit(const Context& context, uint32_t limit);

}  // namespace bank::bankctl
