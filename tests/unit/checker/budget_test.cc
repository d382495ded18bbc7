// Goal: the budget of CPU time ends reading and searching, and nothing else does. Method: a clock
// that goes on by a millisecond whenever it is asked, so that no machine is too slow or too fast
// for it.
#include "checker/model/budget.h"

#include "tests/support/history_text.h"

namespace bank::checker {
namespace {

constexpr int64_t kBudgetMs = 100;
constexpr int64_t kLooksBesides = 40;  // to share the budget out, and after its end

class SteppingClock final : public Clock {
 public:
  int64_t NowNs() const override { return ++looks_ * kNsPerMs; }
  int64_t looks() const { return looks_; }

 private:
  mutable int64_t looks_ = 0;
};

// A power of three each: no two sets of them have one sum, and none has the sum 2.
std::vector<Spec> Deposits(int count, const std::string& type) {
  std::vector<Spec> specs;
  int64_t amount = 1;
  for (int i = 1; i <= count; ++i, amount *= 3) {
    specs.push_back({.process = static_cast<uint64_t>(i),
                     .op = "deposit",
                     .amount = amount,
                     .type = type,
                     .invoke_ns = 1,
                     .return_ns = 100,
                     .has_balance = false});
  }
  return specs;
}

Judgement Judged(const std::vector<Spec>& specs, int64_t budget_ms, const Clock& clock) {
  JudgeOptions options;
  options.budget_ms = budget_ms;
  options.cpu_clock = &clock;
  const auto judgement = JudgeText(HistoryText(specs), options);
  EXPECT_TRUE(judgement.ok()) << judgement.status();
  return judgement.ok() ? *judgement : Judgement{};
}

TEST(Budget, CountsByItsClockAlone) {
  const SteppingClock clock;
  const Budget budget(clock, std::chrono::milliseconds(5));         // 1
  EXPECT_FALSE(budget.IsOver());                                    // 2
  EXPECT_EQ(budget.Left(), std::chrono::milliseconds(3));           // 3
  const Budget part = budget.AtMost(std::chrono::milliseconds(1));  // 4, 5: until 6
  EXPECT_TRUE(part.IsOver());                                       // 6
  EXPECT_TRUE(budget.IsOver());                                     // 7
  EXPECT_EQ(budget.Left(), Budget::Duration::zero());
  EXPECT_TRUE(budget.Share(1, 2).IsOver());
  EXPECT_TRUE(Budget().IsOver());
}

TEST(Budget, EndsASearch) {
  std::vector<Spec> specs = Deposits(24, "ok");
  specs.push_back({.process = 99, .balance = 402, .invoke_ns = 1, .return_ns = 100});
  const SteppingClock clock;
  const Judgement judgement = Judged(specs, kBudgetMs, clock);
  EXPECT_EQ(judgement.verdict, Verdict::kUndecided);
  EXPECT_EQ(judgement.undecided_because, "the search came to the end of its budget");
  EXPECT_LT(clock.looks(), kBudgetMs + kLooksBesides);
}

// Two attempts with one key ask for a second pass.
TEST(Budget, EndsTheReadingButForTheFirstTime) {
  std::vector<Spec> specs(2, {.op = "deposit",
                              .amount = 1,
                              .balance = 401,
                              .index = 1,
                              .invoke_ns = 1,
                              .return_ns = 5,
                              .session = 1,
                              .sequence = 1});
  specs[1].id = 2;
  specs[1].replayed = true;
  const SteppingClock clock;
  EXPECT_EQ(Judged(specs, kBudgetMs, clock).verdict, Verdict::kConsistent);
  const Judgement judgement = Judged(specs, 0, clock);
  EXPECT_EQ(judgement.verdict, Verdict::kUndecided);
  EXPECT_EQ(judgement.undecided_because, "the budget of CPU time ended before the verdict");
}

}  // namespace
}  // namespace bank::checker
