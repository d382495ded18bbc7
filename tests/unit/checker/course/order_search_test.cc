// Goal: which balances the others' writes can add up to is known exactly, and what the time does
// not suffice for is undecided, never wrong. Method: random chains against sets of all sums.
#include "checker/course/order_search.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "checker/course/reachable_sums.h"
#include "tests/unit/checker/course/right_outputs.h"

namespace bank::checker::course {
namespace {

TEST(CanReach, IsWhatAllSumsSay) {
  Random random(3);
  size_t reached = 0;
  for (size_t round = 0; round < 5000; ++round) {
    std::vector<Chain> chains(1 + random() % 5);
    const int64_t unit = 1 + static_cast<int64_t>(random() % 3);
    for (Chain& chain : chains) {
      for (size_t n = random() % 4; n > 0; --n) {
        chain.push_back({Step::Kind::kAdd, unit * (static_cast<int64_t>(random() % 100) - 50)});
      }
    }
    const int64_t start = static_cast<int64_t>(random() % 100);
    const size_t own = random() % chains.size();
    const size_t done = random() % (chains[own].size() + 1);
    int64_t base = start;
    for (size_t i = 0; i < done; ++i) base += chains[own][i].amount;
    std::set<int64_t> sums = {base};
    for (size_t c = 0; c < chains.size(); ++c) {
      if (c == own) continue;
      std::set<int64_t> more = sums;
      for (int64_t sum : sums) {
        for (const Step& step : chains[c]) more.insert(sum += step.amount);
      }
      sums = std::move(more);
    }
    const int64_t wanted =
        round % 2 == 0 ? *std::next(sums.begin(), static_cast<ptrdiff_t>(random() % sums.size()))
                       : static_cast<int64_t>(random() % 400) - 200;
    ASSERT_EQ(CanReach(start, chains, own, done, wanted), sums.contains(wanted)) << wanted;
    reached += sums.contains(wanted) ? 1 : 0;
  }
  EXPECT_GT(reached, 2500U);
  EXPECT_LT(reached, 5000U);
}

TEST(CanReach, TooManySumsAreNotCounted) {
  const std::vector<Chain> chains = {
      {}, {{Step::Kind::kAdd, 1}}, {{Step::Kind::kAdd, 1'000'000'007}}};
  EXPECT_EQ(CanReach(0, chains, 0, 0, 500), std::nullopt);
  EXPECT_EQ(CanReach(0, chains, 0, 0, -1), false);
}

TEST(FindOrder, WithoutTimeNothingIsSaid) {
  // Which fifteen of thirty deposits come before the sight? Their amounts tell, but not soon.
  Random random(1);
  std::vector<Chain> chains(1);
  int64_t seen = 0;
  for (size_t i = 0; i < 30; ++i) {
    const auto amount = static_cast<int64_t>(random() % 1'000'000);
    chains.push_back({{Step::Kind::kAdd, amount}});
    if (i % 2 == 0) seen += amount;
  }
  chains[0].push_back({Step::Kind::kSee, seen});
  EXPECT_EQ(FindOrder(0, chains, [] { return true; }), OrderFound::kOutOfTime);
}

// 2^63-1 is the most that the bank holds.
TEST(FindOrder, ABalanceEndsWhereInt64Ends) {
  const int64_t most = std::numeric_limits<int64_t>::max();
  const auto never = [] { return false; };
  EXPECT_EQ(FindOrder(most - 5, {{{Step::Kind::kAdd, 6}}}, never), OrderFound::kNo);
  EXPECT_EQ(FindOrder(most - 5, {{{Step::Kind::kFull, 6}}}, never), OrderFound::kYes);
  EXPECT_EQ(FindOrder(most - 5, {{{Step::Kind::kFull, 5}}}, never), OrderFound::kNo);
  EXPECT_EQ(FindOrder(most - 5, {{{Step::Kind::kAdd, 6}}, {{Step::Kind::kAdd, -1}}}, never),
            OrderFound::kYes);
}

TEST(Undecided, AnOutputIsNeverWrongForLackOfTime) {
  Random random(9);
  size_t undecided = 0;
  for (size_t round = 0; round < 20; ++round) {
    const CourseCase test =
        BalanceCase(&random, script::Project::kOneBalance, Order::kConcurrent, {.entries = 12});
    const auto script = script::ParseScript("in.json", test.input.dump());
    const auto elements = ReadElements("out.json", test.output.dump());
    ASSERT_TRUE(script.ok() && elements.ok());
    const auto grade =
        JudgeOutput(*script, {{"out.json", *elements}}, test.options, [] { return true; });
    ASSERT_TRUE(grade.ok());
    ASSERT_NE(grade->mark, Mark::kWrong);
    EXPECT_EQ(grade->undecided_because.empty(), grade->mark == Mark::kRight);
    undecided += grade->mark == Mark::kUndecided ? 1 : 0;
  }
  EXPECT_GT(undecided, 0U) << "the time never ended";
}

}  // namespace
}  // namespace bank::checker::course
