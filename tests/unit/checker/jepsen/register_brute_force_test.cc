// Goal: the verdict on a register's steps is that of a judge too simple to be wrong.
// Method: thousands of small random histories of few values; the simple judge tries every order.
// CHECKER_ROUNDS in the environment asks for more of them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "checker/jepsen/step_search.h"
#include "checker/jepsen/verify_register_order.h"
#include "fmt/format.h"

namespace bank::checker {
namespace {

bool IsRight(const std::vector<Step>& steps, Wide value, std::vector<bool>* used) {
  bool all = true;
  for (size_t i = 0; i < steps.size(); ++i) all &= (*used)[i] || steps[i].is_optional();
  if (all) return true;
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    bool may = !(*used)[i] && (step.kind == Step::Kind::kWrite || step.first == value);
    for (size_t j = 0; may && j < steps.size(); ++j) {
      may = (*used)[j] || steps[j].over >= step.invoke;
    }
    if (!may) continue;
    (*used)[i] = true;
    const Wide next = step.kind == Step::Kind::kCas ? step.second : step.first;
    const bool right = IsRight(steps, next, used);
    (*used)[i] = false;
    if (right) return true;
  }
  return false;
}

// A run of a right register with a few customers; in most, one answer in four is made up.
std::vector<Step> RandomSteps(std::mt19937* random) {
  const auto pick = [&](size_t below) { return static_cast<size_t>((*random)() % below); };
  std::vector<Step> steps;
  std::vector<size_t> open(2 + pick(3), SIZE_MAX);  // by customer
  std::vector<bool> carried_out;
  std::vector<bool> fails;
  Wide value = 0;
  const size_t count = 4 + pick(6);
  const size_t lies = pick(4) == 0 ? 1000 : 4;
  for (int64_t now = 1; now < 200; ++now) {
    size_t& mine = open[pick(open.size())];
    if (mine == SIZE_MAX) {
      if (steps.size() == count) continue;
      Step step;
      step.kind = static_cast<Step::Kind>(pick(3));
      step.first = static_cast<Wide>(pick(3));
      step.second = static_cast<Wide>(pick(3));
      step.invoke = now;
      step.over = !step.is_read() && pick(4) == 0 ? kNever : 0;
      step.event = steps.size();
      mine = steps.size();
      steps.push_back(step);
      carried_out.push_back(false);
      fails.push_back(false);
      continue;
    }
    Step& step = steps[mine];
    if (!carried_out[mine]) {
      carried_out[mine] = true;
      if (step.is_optional() && pick(2) == 0) continue;  // never arrived
      if (step.is_read()) step.first = pick(lies) == 0 ? static_cast<Wide>(pick(3)) : value;
      fails[mine] = step.kind == Step::Kind::kCas && step.first != value && pick(lies) != 0;
      if (step.kind == Step::Kind::kWrite) value = step.first;
      if (step.kind == Step::Kind::kCas && step.first == value) value = step.second;
      continue;
    }
    if (!step.is_optional()) step.over = now;
    mine = SIZE_MAX;
  }
  std::vector<Step> kept;
  for (const Step& step : steps) {
    if (step.over == 0 || (fails[step.event] && !step.is_optional())) continue;
    kept.push_back(step);
  }
  return kept;
}

TEST(RegisterBruteForce, Agrees) {
  const char* asked = std::getenv("CHECKER_ROUNDS");
  const uint32_t rounds = asked == nullptr ? 6000 : static_cast<uint32_t>(std::atoll(asked));
  uint32_t right = 0;
  uint32_t wrong = 0;
  for (uint32_t round = 0; round < rounds; ++round) {
    std::mt19937 random(round);
    const std::vector<Step> steps = RandomSteps(&random);
    std::vector<bool> used(steps.size());
    const bool expected = IsRight(steps, 0, &used);
    StepSearch search(steps, 0, Budget(ThreadCpuClock::Instance(), std::chrono::minutes(1)));
    const StepSearch::Answer answer = search.Run();
    ASSERT_EQ(answer, expected ? StepSearch::Answer::kExplained : StepSearch::Answer::kViolation)
        << "round " << round;
    ASSERT_TRUE(!expected || Explains(steps, 0, search.order())) << "round " << round;
    ++(expected ? right : wrong);
  }
  fmt::print("{} right, {} wrong\n", right, wrong);
  EXPECT_GT(right, rounds / 8);
  EXPECT_GT(wrong, rounds / 8);
}

}  // namespace
}  // namespace bank::checker
