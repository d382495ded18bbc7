// Do the branches agree at the end, with each other and with the history?
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checker/certificate/expected_state.h"
#include "checker/history/history_reader.h"
#include "checker/model/violation.h"

namespace bank::checker {

// Digests at one log index must be equal, and the last one of each branch must stand at the same
// index, not before the newest answer in the history, with the sum of balances that the history
// leads to. `standing` null: compare with each other only.
struct DigestCheck {
  std::vector<Violation> violations;
  std::vector<std::string> notes;  // what was not compared, because nobody can
  std::string undecided_because;   // what could be compared in principle, but was too much
};
DigestCheck CheckDigests(const std::vector<Digest>& digests, const ExpectedState* expected_state);

}  // namespace bank::checker
