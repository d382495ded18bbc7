// The exit codes every program of the bank uses.
#pragma once

namespace bank {

enum ExitCode : int {
  kExitOk = 0,
  kExitUsage = 1,         // wrong flags or arguments
  kExitBadInput = 2,      // an input file or a configuration is not acceptable
  kExitUnavailable = 3,   // nobody answered, or the answer was "not now"
  kExitUnknown = 4,       // the outcome of a write could not be learned
  kExitDenied = 5,        // not authorised
  kExitInconsistent = 6,  // the checker, or a branch, found an inconsistency
  kExitFailed = 7,        // a command of an operator's ran, and failed
  kExitRefused = 8,       // the bank answered, and the answer is no (insufficient funds, say)
};

}  // namespace bank
