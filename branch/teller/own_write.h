// What the ledger's answer says of writes under a key of the branch's own session. Pure.
//
// The key is new and the branch's own: nobody else should ever have used it. A call counts as sent
// once if no other attempt of it can have come through (ProposeResult::repeated is false). For one
// write:
//
//   the answer                          sent once         perhaps more than once
//   first outcome of the key            applied           applied
//   replayed, other than not_applied    nothing, misuse   applied: an earlier attempt of ours
//   replayed not_applied: it is sealed  nothing, misuse   nothing, misuse
//   key_reused: it has other content    nothing, misuse   nothing, misuse
//   forgotten                           nothing, misuse   unclear, misuse
//   unknown_session                     nothing           unclear
//   any other refusal                   applied           applied: the refusal is the answer
//
// "Nothing": this write certainly had no effect, and under this key it never will. A key that is
// sealed or has other content was so before any attempt of ours, since the ledger keeps the first
// of what comes. "Misuse": somebody else has used our session. Forgotten is misuse because a
// branch calls no answer seen that it still waits for.
#pragma once

#include <span>
#include <string_view>

#include "branch/ledger/outcome.h"

namespace bank::teller {

struct OwnWriteVerdict {
  enum class Effect {
    kApplied,  // every write: the outcomes are the answer
    kNothing,  // no write: the call may be made again under a new key
    kUnclear,  // some of the writes, or perhaps some
  };
  Effect effect = Effect::kApplied;
  bool session_gone = false;  // expired, or not to be used any more
  bool misuse = false;
};

// `rows` are the commands of the call, `outcomes` one each; there is at least one write. Queries
// say nothing.
OwnWriteVerdict JudgeOwnWrite(std::string_view rows, std::span<const ledger::Outcome> outcomes,
                              bool repeated);

}  // namespace bank::teller
