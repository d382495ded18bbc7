// bankctl exec and audit: commands to the bank's agents, and who ran what.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bankctl/commands.h"

namespace bank::bankctl {

struct ExecOptions {
  std::vector<std::string> words;  // BRANCH, COMMAND, its arguments
  std::string id;                  // "": a new one
  double deadline_s = 10;
  std::string issuer;
};

// Runs the command and prints what comes. When a branch fails it asks the next one with the same
// id, so that the command runs once. Ctrl-C cancels the command and waits for its end; a second one
// leaves at once.
//   0 DONE on every agent; 1 not a command; 2 no such agent; 3 nobody to ask, or the branch is not
//   connected; 4 UNKNOWN; 5 REFUSED; 6 verify-digest found an inconsistency; 7 FAILED, CANCELLED or
//   TIMED_OUT
int Exec(const Context& context, const ExecOptions& options);

// The commands there are, for a usage text.
std::string CommandList();

int ShowAudit(const Context& context, uint32_t limit);

}  // namespace bank::bankctl
