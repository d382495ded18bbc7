// A judge by brute force, to judge the checker by. It shares nothing with it: its own reader
// (story.h), its own rules of the bank, and every order, every choice tried one after the other.
//
// A history is right if there is one order of effects for which all of this holds (docs/HISTORY.md,
// "What is right"):
//   - It holds each operation that was answered with an effect or a refusal that takes a position,
//     each linearizable query, any of the operations of unknown outcome, and each query that need
//     not be fresh. Operations with one key count as one; of those whose outcome is unknown at most
//     one is in it.
//   - An operation whose answer came before another was invoked (strictly, by `ns`) stands before
//     it; an unknown one is never over. A query that need not be fresh may stand anywhere, as long
//     as no effect before it belongs to an operation that was invoked after its answer.
//   - Every write in it can be given a position, rising along the order: the one it names, or one
//     that no write names. A query stands behind the write at its `index` and before what
//     follows that position; `at_least` names one that is not below `minimum`.
//   - Carried out in this order on what the header says, every answer and every balance told is
//     one that the bank could give. If several reasons for a refusal hold, each is right. An
//     account that the header does not name may have existed, with any balance, or not; if the
//     header has `initial`, the bank has no account that neither it nor an operation names.
//   - The digests agree: branches with each other, and with a state that some such order leads to.
#pragma once

#include "tests/verdicts/story.h"

namespace bank::verdicts {

enum class Truth { kRight, kWrong, kTooLong };

// kTooLong: too many orders to try.
Truth JudgeByForce(const Story& story);

}  // namespace bank::verdicts
