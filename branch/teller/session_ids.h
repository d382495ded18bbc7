// Session ids: drawn at random where a session is opened, so that nobody else can name it.
//
//   0x0001... to 0xfffe...   customers' sessions
//   0xffff...                the branches' own (ledger::IsBranchSession); never given to, nor taken
//                            from, a customer
//   0x0000...                the positions that were ids before ids were drawn
#pragma once

#include "branch/ledger/command.h"
#include "common/entropy.h"
#include "common/ids.h"

namespace bank::teller {

inline SessionId DrawCustomerSession(Entropy& entropy) {
  while (true) {
    const SessionId id(entropy.Draw());
    if (id.value >> 48 != 0 && !ledger::IsBranchSession(id)) return id;
  }
}

inline SessionId DrawBranchSession(Entropy& entropy) {
  return SessionId(entropy.Draw() | ledger::kBranchSessionsBegin);
}

}  // namespace bank::teller
