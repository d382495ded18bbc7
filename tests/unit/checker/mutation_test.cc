// Goal: a history with one thing wrong is rejected, with the smallest set of operations that shows
// it. Method: one right history; each test changes one field of it.
#include <fmt/format.h>
#include <algorithm>

#include "checker/search/unknown_sums.h"
#include "tests/support/history_text.h"

namespace bank::checker {
namespace {

// Two customers, one after the other for the most part; 400 at first. Positions 1 and 2 opened
// their sessions.
std::vector<Spec> Right() {
  return {
      {.process = 1,
       .id = 1,
       .op = "deposit",
       .amount = 170,
       .balance = 570,
       .index = 3,
       .invoke_ns = 10,
       .return_ns = 20,
       .session = 1,
       .sequence = 1},
      {.process = 2,
       .id = 1,
       .op = "withdraw",
       .amount = 70,
       .balance = 500,
       .index = 4,
       .invoke_ns = 15,
       .return_ns = 30,
       .session = 2,
       .sequence = 1},
      {.process = 1, .id = 2, .balance = 500, .index = 4, .invoke_ns = 40, .return_ns = 50},
      {.process = 2,
       .id = 2,
       .op = "withdraw",
       .amount = 900,
       .result = "insufficient_funds",
       .balance = 500,
       .index = 5,
       .invoke_ns = 45,
       .return_ns = 60,
       .session = 2,
       .sequence = 2},
      {.process = 1,
       .id = 3,
       .op = "deposit",
       .amount = 30,
       .balance = 530,
       .index = 6,
       .invoke_ns = 70,
       .return_ns = 80,
       .session = 1,
       .sequence = 2},
      {.process = 2, .id = 3, .balance = 530, .index = 6, .invoke_ns = 90, .return_ns = 100},
      {.process = 1,
       .id = 4,
       .op = "withdraw",
       .amount = 130,
       .balance = 400,
       .index = 7,
       .invoke_ns = 110,
       .return_ns = 120,
       .session = 1,
       .sequence = 3},
  };
}

void ExpectViolation(const std::vector<Spec>& specs, ViolationKind kind,
                     const std::string& culprits) {
  const auto judgement = JudgeText(HistoryText(specs));
  ASSERT_TRUE(judgement.ok()) << judgement.status();
  EXPECT_EQ(judgement->verdict, Verdict::kInconsistent);
  ASSERT_FALSE(judgement->violations.empty());
  EXPECT_EQ(ViolationKindName(judgement->violations[0].kind), ViolationKindName(kind))
      << judgement->violations[0].why;
  EXPECT_EQ(Culprits(*judgement), culprits) << judgement->violations[0].why;
}

void ExpectConsistent(const std::vector<Spec>& specs) {
  const auto judgement = JudgeText(HistoryText(specs));
  ASSERT_TRUE(judgement.ok()) << judgement.status();
  EXPECT_EQ(judgement->verdict, Verdict::kConsistent)
      << (judgement->violations.empty() ? judgement->undecided_because
                                        : judgement->violations[0].why);
}

TEST(Mutation, NoneIsConsistent) { ExpectConsistent(Right()); }

TEST(Mutation, EditedBalanceOfAWrite) {
  auto specs = Right();
  specs[4].balance = 531;
  ExpectViolation(specs, ViolationKind::kBalance, "2:2 1:3");
}

TEST(Mutation, EditedBalanceOfARead) {
  auto specs = Right();
  specs[2].balance = 499;
  ExpectViolation(specs, ViolationKind::kBalance, "2:1 1:2");
}

TEST(Mutation, EditedBalanceOfTheFirstWriteNeedsNoOther) {
  auto specs = Right();
  specs[0].balance = 571;
  ExpectViolation(specs, ViolationKind::kBalance, "1:1");
}

TEST(Mutation, DroppedWrite) {
  auto specs = Right();
  specs.erase(specs.begin() + 4);
  ExpectViolation(specs, ViolationKind::kBalance, "2:2 2:3");
}

TEST(Mutation, DroppedReadIsNoticedByNobody) {
  auto specs = Right();
  specs.erase(specs.begin() + 2);
  ExpectConsistent(specs);
}

TEST(Mutation, SwappedIndexes) {
  auto specs = Right();
  std::swap(specs[0].index, specs[1].index);
  ExpectViolation(specs, ViolationKind::kBalance, "2:1");
}

TEST(Mutation, SwappedIndexesOfOperationsApartInTime) {
  auto specs = Right();
  std::swap(specs[3].index, specs[4].index);
  ExpectViolation(specs, ViolationKind::kRealTime, "1:3 2:2");
}

TEST(Mutation, DuplicateIndex) {
  auto specs = Right();
  specs[3].index = 4;
  ExpectViolation(specs, ViolationKind::kDuplicateIndex, "2:1 2:2");
}

TEST(Mutation, StaleRead) {
  auto specs = Right();
  specs[5].balance = 500;
  specs[5].index = 5;
  ExpectViolation(specs, ViolationKind::kRealTime, "2:3 1:3");
}

TEST(Mutation, ReadFromTheFuture) {
  auto specs = Right();
  specs[2].balance = 530;
  specs[2].index = 6;
  ExpectViolation(specs, ViolationKind::kRealTime, "1:3 1:2");
}

TEST(Mutation, LostUpdate) {
  auto specs = Right();
  specs[1].balance = 330;
  ExpectViolation(specs, ViolationKind::kBalance, "1:1 2:1");
}

TEST(Mutation, OneKeyAppliedTwice) {
  auto specs = Right();
  specs[4].session = 1;
  specs[4].sequence = 1;
  specs[4].amount = 170;
  specs[4].balance = 670;
  specs[5].balance = 670;
  specs[6].balance = 540;
  ExpectViolation(specs, ViolationKind::kKey, "1:1 1:3");
}

TEST(Mutation, DoubleEffectBehindOneAnswer) {
  auto specs = Right();
  specs[4].balance = 560;
  specs[5].balance = 560;
  specs[6].balance = 430;
  ExpectViolation(specs, ViolationKind::kBalance, "2:2 1:3");
}

TEST(Mutation, FailThatTookEffect) {
  auto specs = Right();
  specs[4].type = "fail";
  ExpectViolation(specs, ViolationKind::kBalance, "2:2 2:3");
}

TEST(Mutation, UnknownThatTookEffectIsFine) {
  auto specs = Right();
  for (const char* type : {"info", "open"}) {
    specs[4].type = type;
    ExpectConsistent(specs);
  }
}

TEST(Mutation, UnknownThatTookEffectBeforeItsInvocation) {
  auto specs = Right();
  specs[4].type = "info";
  specs[4].invoke_ns = 105;
  specs[4].return_ns = 106;
  const auto judgement = JudgeText(HistoryText(specs));
  ASSERT_TRUE(judgement.ok());
  EXPECT_EQ(judgement->verdict, Verdict::kInconsistent);
  EXPECT_EQ(Culprits(*judgement), "2:2 2:3");
}

TEST(Mutation, UnknownThatTookEffectTwice) {
  auto specs = Right();
  specs[4].type = "info";
  specs[6].balance = 430;
  const auto judgement = JudgeText(HistoryText(specs));
  ASSERT_TRUE(judgement.ok());
  EXPECT_EQ(judgement->verdict, Verdict::kInconsistent);
  EXPECT_EQ(Culprits(*judgement), "2:3 1:4");
}

TEST(Mutation, RefusalWithoutReason) {
  auto specs = Right();
  specs[3].amount = 400;  // it says itself that there were 500
  ExpectViolation(specs, ViolationKind::kBalance, "2:2");
}

TEST(Mutation, RetryAnsweredAgainIsOneEffect) {
  auto specs = Right();
  Spec retry = specs[4];
  retry.process = 3;
  retry.invoke_ns = 72;
  retry.return_ns = 200;
  retry.replayed = true;
  specs.push_back(retry);
  ExpectConsistent(specs);
  specs.back().balance = 531;
  ExpectViolation(specs, ViolationKind::kKey, "1:3 3:3");
}

TEST(Mutation, UnknownResolvedLaterByItsSecondAttempt) {
  auto specs = Right();
  Spec retry = specs[4];
  specs[4].type = "info";
  retry.process = 3;
  retry.invoke_ns = 300;
  retry.return_ns = 310;
  retry.replayed = true;
  specs.push_back(retry);
  ExpectConsistent(specs);
}

TEST(Digests, MustBeEqualAndStandBehindTheHistory) {
  const std::string history = HistoryText(Right());
  const auto judge = [&](const std::string& digests) {
    JudgeOptions options;
    options.digests = {WriteTemporary("digests.jsonl", digests)};
    return JudgeText(history, options);
  };
  const std::string one =
      R"({"type":"digest","branch":1,"log_index":7,"state":"aa","history":"bb","accounts":1,"balance_total":400})"
      "\n";
  auto other = [&](const std::string& from, const std::string& to) {
    std::string text = one;
    text.replace(text.find("\"branch\":1"), 10, "\"branch\":2");
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  EXPECT_EQ(judge(one + other("aa", "aa"))->verdict, Verdict::kConsistent);
  const auto differs = judge(one + other("aa", "ac"));
  EXPECT_EQ(differs->verdict, Verdict::kInconsistent);
  EXPECT_NE(differs->violations[0].why.find("branch 1: state aa"), std::string::npos)
      << differs->violations[0].why;
  EXPECT_NE(differs->violations[0].why.find("branch 2: state ac"), std::string::npos);
  EXPECT_EQ(judge(one + other("\"log_index\":7", "\"log_index\":8"))->verdict,
            Verdict::kInconsistent);
  EXPECT_EQ(judge(other(":400", ":401"))->verdict, Verdict::kInconsistent);
  EXPECT_EQ(judge(other("\"log_index\":7", "\"log_index\":6"))->verdict, Verdict::kInconsistent);
  EXPECT_EQ(judge(one + other("bb", "bc"))->verdict, Verdict::kInconsistent) << "other pasts";
  EXPECT_EQ(judge(other("\"accounts\":1", "\"accounts\":0"))->verdict, Verdict::kInconsistent);
  EXPECT_EQ(judge(other("\"log_index\":7", "\"log_index\":6") + one + other("aa", "aa"))->verdict,
            Verdict::kConsistent)
      << "a branch's last word counts";
  EXPECT_FALSE(judge("").ok()) << "digests were promised";
}

// An entry that holds only retries changes a branch's sessions, and with them its state, but takes
// no position: a branch that has applied it stands at the same position as one that has not.
TEST(Digests, AreComparedWhereBothHaveAppliedTheSameEntries) {
  const std::string history = HistoryText(Right());
  const auto digest = [](int branch, int applied, const std::string& state, int total) {
    return fmt::format(
        R"({{"type":"digest","branch":{},"log_index":7,"applied_index":{},"state":"{}","history":"{}","accounts":1,"balance_total":{}}})"
        "\n",
        branch, applied, state, state, total);
  };
  const auto verdict = [&](const std::string& digests) {
    JudgeOptions options;
    options.digests = {WriteTemporary("digests.jsonl", digests)};
    return JudgeText(history, options)->verdict;
  };
  EXPECT_EQ(verdict(digest(1, 5, "aa", 400) + digest(2, 6, "ab", 400)), Verdict::kConsistent);
  EXPECT_EQ(verdict(digest(1, 6, "aa", 400) + digest(2, 6, "ab", 400)), Verdict::kInconsistent);
  EXPECT_EQ(verdict(digest(1, 5, "aa", 400) + digest(2, 6, "ab", 401)), Verdict::kInconsistent)
      << "retries change no money";
}

// Stale, but for the completion's claim that nothing fresher was asked for.
TEST(Mutation, HowFreshAReadHadToBeStandsInItsInvocation) {
  const std::string before = HistoryText(
      {{.op = "deposit", .amount = 1, .balance = 401, .index = 1, .invoke_ns = 1, .return_ns = 2}});
  const auto judge = [&](const std::string& asked, const std::string& told) {
    return JudgeText(
        before + R"({"type":"invoke","process":1,"id":2,"op":"query","ns":3)" + asked + "}\n" +
        R"({"type":"ok","process":1,"id":2,"op":"query","result":"ok","balance":400,"index":0,"ns":4)" +
        told + "}\n");
  };
  const std::string local = R"(,"consistency":"local")";
  const std::string at_least = R"(,"consistency":"at_least","minimum":)";
  EXPECT_EQ(judge("", "")->verdict, Verdict::kInconsistent);
  EXPECT_EQ(judge(local, local)->verdict, Verdict::kConsistent);
  EXPECT_EQ(judge(local, "")->verdict, Verdict::kConsistent);
  EXPECT_EQ(judge(at_least + "1", "")->verdict, Verdict::kInconsistent);
  EXPECT_EQ(judge(at_least + "0", at_least + "0")->verdict, Verdict::kConsistent);
  EXPECT_FALSE(judge("", local).ok());
  EXPECT_FALSE(judge(at_least + "1", at_least + "0").ok());
}

TEST(Mutation, ReadsThatHadToSeeAPositionMustNameOne) {
  const std::string text =
      HistoryText({{.op = "deposit",
                    .amount = 1,
                    .balance = 401,
                    .index = 1,
                    .invoke_ns = 1,
                    .return_ns = 2}}) +
      R"({"type":"invoke","process":1,"id":2,"op":"query","ns":3,"consistency":"at_least","minimum":1})"
      "\n";
  const std::string answer =
      R"({"type":"ok","process":1,"id":2,"op":"query","result":"ok","balance":400,"ns":4)";
  // It saw one that is not below its minimum, and there the account holds more.
  EXPECT_EQ(JudgeText(text + answer + "}\n")->verdict, Verdict::kInconsistent);
  EXPECT_EQ(JudgeText(text + answer + R"(,"index":0})" + "\n")->verdict, Verdict::kInconsistent);
  // What is certainly wrong goes before what nobody can tell.
  const std::string digests = R"({"type":"digest","branch":1,"log_index":1,"state":"aa"}
{"type":"digest","branch":2,"log_index":1,"state":"ab"}
)";
  EXPECT_EQ(JudgeText(text + answer + "}\n" + digests)->verdict, Verdict::kInconsistent);
}

// Deposits of 1, one after the other; the first one makes it `balance`.
std::vector<Spec> ManyDeposits(int64_t balance, bool positions) {
  std::vector<Spec> specs;
  for (uint64_t id = 1; id <= 3000; ++id) {
    const auto n = static_cast<int64_t>(id);
    specs.push_back({.process = 2,
                     .id = id,
                     .op = "deposit",
                     .amount = 1,
                     .balance = balance + n - 1,
                     .index = positions ? id + 1 : 0,
                     .invoke_ns = 10 * n,
                     .return_ns = 10 * n + 5});
  }
  return specs;
}

TEST(Mutation, WhatCouldNotBeSearchedIsUndecided) {
  const JudgeOptions no_time = {.histories = {}, .digests = {}, .budget_ms = 0};
  const JudgeOptions foreign = {.histories = {}, .digests = {}, .foreign_writers = true};
  EXPECT_EQ(JudgeText(HistoryText(ManyDeposits(401, false)), no_time)->verdict,
            Verdict::kUndecided);
  const auto others_wrote = JudgeText(HistoryText(ManyDeposits(401, false)), foreign);
  EXPECT_EQ(others_wrote->verdict, Verdict::kUndecided);
  EXPECT_EQ(others_wrote->undecided_because, "positions are needed when others wrote too");
  // Nobody holds position 1: the transfer may explain the first answer, if its payer had the money.
  std::vector<Spec> specs = ManyDeposits(501, true);
  specs.push_back({.op = "transfer",
                   .amount = 100,
                   .type = "open",
                   .invoke_ns = 1,
                   .account = "poor",
                   .to = "shared"});
  std::string text = HistoryText(specs);
  text.replace(text.find(R"({"shared":400})"), 14, R"({"shared":400,"poor":0})");
  EXPECT_NE(JudgeText(text, no_time)->verdict, Verdict::kConsistent);
  EXPECT_EQ(JudgeText(text)->verdict, Verdict::kInconsistent);
}

// Two deposits at the same time, whose balances tell the other order than their positions; a read
// without a position leaves it to the search to see that.
TEST(Mutation, TheSearchKeepsToThePositionsThatAreKnown) {
  std::vector<Spec> specs = {
      {.id = 1, .op = "deposit", .amount = 10, .balance = 410, .index = 3, .return_ns = 50},
      {.process = 2, .op = "deposit", .amount = 20, .balance = 430, .index = 4, .return_ns = 50},
      {.process = 3, .balance = 430, .invoke_ns = 60, .return_ns = 70}};
  ExpectConsistent(specs);
  std::swap(specs[0].index, specs[1].index);
  const auto judgement = JudgeText(HistoryText(specs));
  ASSERT_TRUE(judgement.ok());
  EXPECT_EQ(judgement->verdict, Verdict::kInconsistent);
  for (Spec& spec : specs) spec.index = 0;
  ExpectConsistent(specs);
}

// The transfer would explain the last answer, if its payer had the money. Whoever has no time to
// find that out must not call it consistent.
TEST(Mutation, WhatOnlyAnUnknownTransferExplainsIsNotConsistent) {
  std::vector<Spec> specs = ManyDeposits(401, true);
  specs.back().balance += 100;
  specs.back().index += 1;  // nobody holds the position before it
  specs.push_back({.op = "transfer",
                   .amount = 100,
                   .type = "open",
                   .invoke_ns = 1,
                   .account = "poor",
                   .to = "shared"});
  std::string text = HistoryText(specs);
  text.replace(text.find(R"({"shared":400})"), 14, R"({"shared":400,"poor":0})");
  // The certificate sees it without a search.
  const auto in_no_time = JudgeText(text, {.histories = {}, .digests = {}, .budget_ms = 0});
  ASSERT_TRUE(in_no_time.ok()) << in_no_time.status();
  EXPECT_EQ(in_no_time->verdict, Verdict::kInconsistent);
  EXPECT_EQ(JudgeText(text)->verdict, Verdict::kInconsistent);
}

// What follows a violation is not kept: a long history's memory stays bounded.
TEST(Mutation, WhatFollowsAViolationIsNotHeld) {
  const auto judgement = JudgeText(HistoryText(ManyDeposits(402, true)));
  ASSERT_TRUE(judgement.ok());
  EXPECT_EQ(judgement->verdict, Verdict::kInconsistent);
  EXPECT_LT(judgement->window_peak, 10u);
}

TEST(UnknownSums, TooManyToTryAreNotCalledAll) {
  std::vector<UnknownSums::Item> items;
  for (uint32_t i = 0; i < 24; ++i) items.push_back({.change = i + 1, .number = i, .content = i});
  UnknownSums sums(items);
  EXPECT_TRUE(sums.For(3).complete);
  EXPECT_EQ(sums.For(3).blocks, (std::vector<UnknownSums::Block>{{2}, {0, 1}}));
  EXPECT_TRUE(sums.For(301).complete);
  EXPECT_TRUE(sums.For(301).blocks.empty());
  EXPECT_FALSE(sums.For(150).complete);
}

// Given up, and answered later: one effect, not two.
TEST(Mutation, WhatIsResolvedLaterHappensOnce) {
  const std::string deposit = R"("process":1,"id":1,"op":"deposit","amount":10,)";
  const std::string text = R"({"type":"header","version":1,"initial":{"shared":400}}
{"type":"invoke",)" + deposit +
                           R"("ns":1}
{"type":"info",)" + deposit +
                           R"("ns":2}
{"type":"ok",)" + deposit + R"("result":"ok","balance":410,"index":2,"ns":5}
{"type":"invoke","process":2,"id":1,"op":"query","ns":6}
{"type":"ok","process":2,"id":1,"op":"query","result":"ok",)";
  EXPECT_EQ(JudgeText(text + R"("balance":410,"index":3,"ns":7})" + "\n")->verdict,
            Verdict::kConsistent);
  EXPECT_EQ(JudgeText(text + R"("balance":420,"index":3,"ns":7})" + "\n")->verdict,
            Verdict::kInconsistent);
}

// A read that need not be fresh may show what was, but nothing that never was or only came later.
TEST(Mutation, StaleReadsWithoutPositionsShowWhatWas) {
  const auto judge = [](int64_t balance, int64_t from, int64_t to) {
    std::string text = HistoryText(
        {{.op = "deposit", .amount = 1, .balance = 401, .invoke_ns = 50, .return_ns = 60}});
    const std::string read = fmt::format(
        R"({{"type":"invoke","process":2,"id":1,"op":"query","consistency":"local","ns":{}}}
{{"type":"ok","process":2,"id":1,"op":"query","result":"ok","balance":{},"ns":{}}}
)",
        from, balance, to);
    text.insert(to < 50 ? text.find('\n') + 1 : text.size(), read);
    return JudgeText(text)->verdict;
  };
  EXPECT_EQ(judge(400, 70, 80), Verdict::kConsistent);
  EXPECT_EQ(judge(401, 70, 80), Verdict::kConsistent);
  EXPECT_EQ(judge(402, 70, 80), Verdict::kInconsistent);
  EXPECT_EQ(judge(400, 10, 20), Verdict::kConsistent);
  EXPECT_EQ(judge(401, 10, 20), Verdict::kInconsistent);
}

TEST(Mutation, OperationsAreNumberedOnce) {
  const Spec query = {.balance = 400, .invoke_ns = 1, .return_ns = 2};
  Spec again = query;
  again.invoke_ns = 3;
  again.return_ns = 4;
  EXPECT_FALSE(JudgeText(HistoryText({query, again})).ok());
  again.id = 2;
  EXPECT_TRUE(JudgeText(HistoryText({query, again})).ok());
}

TEST(Mutation, WhatIsGivenUpHasNoOutcome) {
  const std::string invoke =
      "{\"type\":\"header\",\"version\":1}\n"
      R"({"type":"invoke","process":1,"id":1,"op":"deposit","amount":1,"ns":1})"
      "\n";
  for (const char* type : {"fail", "info"}) {
    const std::string end = fmt::format(R"({{"type":"{}","process":1,"id":1,"ns":2)", type);
    EXPECT_TRUE(JudgeText(invoke + end + "}\n").ok());
    EXPECT_TRUE(JudgeText(invoke + end + R"(,"result":"not_applied"})" + "\n").ok());
    EXPECT_FALSE(JudgeText(invoke + end + R"(,"result":"ok"})" + "\n").ok());
    EXPECT_FALSE(JudgeText(invoke + end + R"(,"index":7})" + "\n").ok());
  }
  EXPECT_FALSE(JudgeText("").ok());
}

TEST(Mutation, QueriesAreNotAnsweredAsOnlyWritesCanBe) {
  for (const char* result :
       {"unknown_session", "key_reused", "forgotten", "window_full", "not_applied"}) {
    EXPECT_EQ(JudgeText(HistoryText({{.result = result, .invoke_ns = 1, .return_ns = 2}}))->verdict,
              Verdict::kInconsistent)
        << result;
  }
  EXPECT_EQ(
      JudgeText(HistoryText({{.result = "bad_request", .invoke_ns = 1, .return_ns = 2}}))->verdict,
      Verdict::kConsistent);
}

}  // namespace
}  // namespace bank::checker
