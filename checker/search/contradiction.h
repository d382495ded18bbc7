// The smallest set of operations that shows a violation.
#pragma once

#include <functional>
#include <vector>

#include "checker/history/history_reader.h"
#include "checker/model/operation.h"
#include "checker/model/violation.h"

namespace bank::checker {

// Delta debugging (Zeller and Hildebrandt, TSE 2002), preceded, if there are at most `pairs_of`
// operations, by all single ones and all pairs: a subset of `operations` for which `shows_it`
// holds, none of which can be left out. `operations` itself must show it. Keeps the order.
std::vector<Operation> Minimize(const std::vector<Operation>& operations,
                                const std::function<bool(const std::vector<Operation>&)>& shows_it,
                                size_t pairs_of);

// Decides whether some operations of a history, at the positions they name, contradict each other
// whatever the answers of the others were.
class Contradiction {
 public:
  // `around`: all reads and positioned operations of the accounts in question in a stretch of the
  // order, by position. `initial`: what was there before the stretch, if it begins with the
  // history.
  Contradiction(const std::vector<Operation>& around, const InitialState& initial,
                const AccountNames* names, bool from_the_start);

  // `some`: a subset of `around`, in the same order.
  bool Shows(const std::vector<Operation>& some) const;

 private:
  // How many effects on `account` and on `to` stand before an operation.
  struct Rank {
    uint64_t account = 0;
    uint64_t to = 0;
  };
  absl::flat_hash_map<OperationId, Rank> ranks_;
  const InitialState& initial_;
  const AccountNames* names_;
  bool from_the_start_;
};

// The order in which the certificate judges.
bool StandsBefore(const Operation& a, const Operation& b);

}  // namespace bank::checker
