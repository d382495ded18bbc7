// Several operations with one key are attempts at one effect: at most one of them happened, and all
// that were answered with it must have been told the same.
#pragma once

#include <vector>

#include "checker/model/operation.h"
#include "checker/model/violation.h"

namespace bank::checker {

struct MergedDuplicates {
  std::vector<Operation> answered;  // none or one: the effect
  std::vector<Operation> unknown;   // at most one for each content
  std::vector<Violation> violations;
};

// `attempts`: all operations with one key.
MergedDuplicates MergeDuplicates(const std::vector<Operation>& attempts);

}  // namespace bank::checker
