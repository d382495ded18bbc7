// Overdraft: may the transfers of a bank have come one after the other without an account ever
// being overdrawn?
//
// The search of step_search.h finds an order that explains every read, but looks at no account
// alone: a transfer may take more than is there if another one brings it back before the next
// read. Here the transfers between two reads of that order are put in order once more, in keeping
// with time, such that nobody is overdrawn. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "checker/jepsen_history.h"

namespace bank::checker {

struct OverdraftCheck {
  enum class Answer : uint8_t {
    kNobody,    // an order was found in which nobody is
    kCertain,   // in every order that explains the reads somebody is
    kPossible,  // neither is known
  };
  Answer answer = Answer::kNobody;
  std::vector<size_t>
      culprits;  // kCertain: the read before them and the transfers; into operations
};

// `order`: transfers and reads of a bank, as places in `operations`, in an order that explains the
// reads. `rest`: transfers of unknown outcome that it does without.
OverdraftCheck CheckOverdraft(const std::vector<JepsenOperation>& operations,
                              const std::vector<size_t>& order, const std::vector<size_t>& rest);

}  // namespace bank::checker
