// Goal: what the ledger's answer to a write under the branch's own key says, row by row of the
// table in own_write.h; a "perhaps" never becomes a "no".
#include "branch/teller/own_write.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "branch/ledger/command.h"

namespace bank::teller {
namespace {

using ledger::Code;
using ledger::Kind;
using ledger::Outcome;
using Effect = OwnWriteVerdict::Effect;

std::string Rows(const std::vector<Kind>& kinds) {
  std::string rows;
  for (const Kind kind : kinds) ledger::AppendCommand({.kind = kind, .account = "a"}, &rows);
  return rows;
}

OwnWriteVerdict Judge(const std::vector<Kind>& kinds, const std::vector<Outcome>& outcomes,
                      bool repeated) {
  return JudgeOwnWrite(Rows(kinds), outcomes, repeated);
}

struct Row {
  Code code;
  bool replayed;
  bool repeated;
  Effect effect;
  bool session_gone;
  bool misuse;
};

constexpr Row kTable[] = {
    {Code::kOk, false, false, Effect::kApplied, false, false},
    {Code::kOk, false, true, Effect::kApplied, false, false},
    {Code::kInsufficientFunds, false, false, Effect::kApplied, false, false},
    {Code::kInsufficientFunds, false, true, Effect::kApplied, false, false},
    {Code::kOk, true, false, Effect::kNothing, true, true},
    {Code::kOk, true, true, Effect::kApplied, false, false},
    {Code::kInsufficientFunds, true, false, Effect::kNothing, true, true},
    {Code::kInsufficientFunds, true, true, Effect::kApplied, false, false},
    {Code::kNotApplied, true, false, Effect::kNothing, true, true},
    {Code::kNotApplied, true, true, Effect::kNothing, true, true},
    {Code::kKeyReused, false, false, Effect::kNothing, true, true},
    {Code::kKeyReused, false, true, Effect::kNothing, true, true},
    {Code::kForgotten, false, false, Effect::kNothing, true, true},
    {Code::kForgotten, false, true, Effect::kUnclear, true, true},
    {Code::kUnknownSession, false, false, Effect::kNothing, true, false},
    {Code::kUnknownSession, false, true, Effect::kUnclear, true, false},
    {Code::kWindowFull, false, false, Effect::kApplied, false, false},
    {Code::kWindowFull, false, true, Effect::kApplied, false, false},
};

TEST(OwnWrite, TheTable) {
  for (const Row& row : kTable) {
    SCOPED_TRACE(std::string(CodeName(row.code)) + (row.replayed ? " replayed" : "") +
                 (row.repeated ? ", sent more than once" : ", sent once"));
    const OwnWriteVerdict verdict =
        Judge({Kind::kDeposit}, {{.code = row.code, .replayed = row.replayed}}, row.repeated);
    EXPECT_EQ(verdict.effect, row.effect);
    EXPECT_EQ(verdict.session_gone, row.session_gone);
    EXPECT_EQ(verdict.misuse, row.misuse);
  }
}

TEST(OwnWrite, ABatchIsAnsweredOnlyIfAllOfItIs) {
  const Outcome fresh{.code = Code::kOk};
  const Outcome taken{.code = Code::kOk, .replayed = true};
  const Outcome gone{.code = Code::kUnknownSession};
  const std::vector<Kind> two = {Kind::kDeposit, Kind::kWithdraw};
  EXPECT_EQ(Judge(two, {fresh, fresh}, false).effect, Effect::kApplied);
  EXPECT_EQ(Judge(two, {taken, taken}, false).effect, Effect::kNothing);
  EXPECT_EQ(Judge(two, {gone, gone}, false).effect, Effect::kNothing);
  EXPECT_EQ(Judge(two, {fresh, taken}, false).effect, Effect::kUnclear)
      << "half of it is in the order";
  EXPECT_EQ(Judge(two, {taken, fresh}, false).effect, Effect::kUnclear);
  EXPECT_TRUE(Judge(two, {fresh, taken}, false).misuse);
  EXPECT_EQ(Judge(two, {taken, taken}, true).effect, Effect::kApplied)
      << "an earlier attempt of it";
  EXPECT_EQ(Judge(two, {taken, {.code = Code::kKeyReused}}, true).effect, Effect::kUnclear);
}

TEST(OwnWrite, QueriesSayNothing) {
  const Outcome read{.code = Code::kOk};
  const Outcome taken{.code = Code::kOk, .replayed = true};
  const std::vector<Kind> kinds = {Kind::kQuery, Kind::kDeposit, Kind::kQuery};
  EXPECT_EQ(Judge(kinds, {read, taken, read}, false).effect, Effect::kNothing);
  EXPECT_EQ(Judge(kinds, {{.code = Code::kUnknownAccount}, read, read}, false).effect,
            Effect::kApplied);
}

}  // namespace
}  // namespace bank::teller
