#include "branch/teller/own_write.h"

#include <algorithm>

#include "branch/ledger/command.h"
#include "common/check.h"
#include "common/planted.h"

namespace bank::teller {
namespace {

using ledger::Code;
using Effect = OwnWriteVerdict::Effect;

OwnWriteVerdict JudgeOne(const ledger::Outcome& outcome, bool repeated) {
  constexpr OwnWriteVerdict kMisused{Effect::kNothing, true, true};
  switch (outcome.code) {
    case Code::kUnknownSession:
      return {repeated ? Effect::kUnclear : Effect::kNothing, true, false};
    case Code::kForgotten:
      return {repeated ? Effect::kUnclear : Effect::kNothing, true, true};
    case Code::kKeyReused:
      return kMisused;
    case Code::kNotApplied:
      return kMisused;
    default:
      return outcome.replayed && !repeated ? kMisused : OwnWriteVerdict{};
  }
}

}  // namespace

OwnWriteVerdict JudgeOwnWrite(std::string_view rows, std::span<const ledger::Outcome> outcomes,
                              bool repeated) {
  if (IsPlanted(Planted::kOwnKeyReplayTrusted)) repeated = true;
  // Almost always. A query's outcome is always of this kind.
  if (std::all_of(outcomes.begin(), outcomes.end(), [repeated](const ledger::Outcome& outcome) {
        return JudgeOne(outcome, repeated).effect == Effect::kApplied;
      })) {
    return {};
  }
  OwnWriteVerdict all;
  bool first = true;
  ledger::CommandReader reader(rows);
  ledger::Command command;
  for (const ledger::Outcome& outcome : outcomes) {
    BANK_CHECK(reader.Next(&command)) << "more outcomes than commands";
    if (command.kind == ledger::Kind::kQuery) continue;
    const OwnWriteVerdict one = JudgeOne(outcome, repeated);
    all.session_gone |= one.session_gone;
    all.misuse |= one.misuse;
    all.effect = first || all.effect == one.effect ? one.effect : Effect::kUnclear;
    first = false;
  }
  return all;
}

}  // namespace bank::teller
