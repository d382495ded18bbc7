// Counter-examples that stand for themselves: judged alone, what a violation shows is inconsistent,
// too. So it holds all that it rests on: what accounts held at first, digests, and the operation
// whose key keeps another one from having happened.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "checker/history/history_reader.h"
#include "checker/judge.h"
#include "checker/model/budget.h"
#include "checker/model/operation.h"
#include "checker/model/violation.h"

namespace bank::checker {

// What a counter-example may be made of.
struct Evidence {
  const InitialState& initial;
  const AccountNames& names;
  const std::vector<Digest>& digests;
  // One for each effect (duplicate_keys.h), of any fate; empty if they are too many.
  const std::vector<Operation>& operations;
  // All operations of each key that several operations have.
  const std::vector<std::vector<Operation>>& attempts;
};

// Completes `violation`, whose operations may be too few, and shortens it if there are more than it
// takes. `is_wrong`: whether a history with this text (docs/HISTORY.md) is inconsistent for
// certain. Ends with the budget, with what was found by then.
void Complete(const Evidence& evidence, const Budget& budget,
              const std::function<bool(const std::string& text)>& is_wrong, Violation* violation);

// What the violation shows, as a history of its own.
std::string CounterExample(const Violation& violation, const AccountNames& names);

}  // namespace bank::checker
