// Do the branches agree at the end, with each other and with the history?
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checker/history_reader.h"
#include "checker/standing.h"
#include "checker/violation.h"

namespace bank::checker {

// Digests at one log index must be equal, and the last one of each branch must stand at the same
// index, not before the newest answer in the history, with the sum of balances that the history
// leads to. `standing` null: compare with each other only. Appends what could not be compared to
// `notes`.
std::vector<Violation> CheckDigests(const std::vector<Digest>& digests, const Standing* standing,
                                    std::vector<std::string>* notes);

}  // namespace bank::checker
