// Goal: the verdict on a bank's transfers and reads is that of a judge too simple to be wrong, with
// overdrafts forbidden and allowed, and nothing known of what the accounts held at first.
// Method: thousands of small random histories, right ones and ones with something changed; the
// simple judge tries every order. CHECKER_ROUNDS in the environment asks for more of them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "checker/jepsen/bank_judge.h"
#include "checker/jepsen/bank_search.h"
#include "checker/jepsen/bank_trial.h"
#include "checker/jepsen/verify_bank_order.h"
#include "fmt/format.h"

namespace bank::checker {
namespace {

class SimpleBankJudge {
 public:
  explicit SimpleBankJudge(const BankSteps& bank) : bank_(bank), used_(bank.steps.size()) {}

  bool IsRight() {
    bool all = true;
    for (size_t i = 0; i < used_.size(); ++i) all &= used_[i] || bank_.steps[i].is_optional();
    if (all) return true;
    for (size_t i = 0; i < used_.size(); ++i) {
      if (used_[i] || !MayBeNext(i)) continue;
      used_[i] = true;
      order_.push_back(i);
      const bool right = Replays() && IsRight();
      order_.pop_back();
      used_[i] = false;
      if (right) return true;
    }
    return false;
  }

 private:
  bool MayBeNext(size_t i) const {
    for (size_t j = 0; j < used_.size(); ++j) {
      if (!used_[j] && bank_.steps[j].over < bank_.steps[i].invoke) return false;
    }
    return true;
  }

  // Whether some initial balances explain what was done so far.
  bool Replays() const {
    std::vector<int64_t> balances;
    for (size_t i : order_) {
      if (!bank_.steps[i].is_read()) continue;
      balances = bank_.steps[i].balances;
      for (size_t j : order_) {
        if (j == i) break;
        balances[bank_.steps[j].from] += bank_.steps[j].amount;
        balances[bank_.steps[j].to] -= bank_.steps[j].amount;
      }
      break;
    }
    if (balances.empty()) return true;
    const auto overdrawn = [&] {
      bool some = false;
      for (int64_t balance : balances) some |= balance < 0;
      return some && !bank_.overdrafts;
    };
    if (overdrawn()) return false;
    for (size_t i : order_) {
      const BankStep& step = bank_.steps[i];
      if (step.is_read()) {
        if (step.balances != balances) return false;
        continue;
      }
      balances[step.from] -= step.amount;
      balances[step.to] += step.amount;
      if (overdrawn()) return false;
    }
    return true;
  }

  const BankSteps& bank_;
  std::vector<bool> used_;
  std::vector<size_t> order_;
};

// A run of a right bank with a few customers, each with one operation at a time.
BankSteps RandomBank(std::mt19937* random) {
  const auto pick = [&](int below) { return static_cast<int>((*random)() % below); };
  BankSteps bank;
  bank.accounts = bank.shown = 2 + pick(2);
  bank.overdrafts = pick(4) == 0;
  std::vector<int64_t> balances(bank.accounts);
  for (int64_t& balance : balances) balance = pick(4);
  const int amounts = 1 + pick(3);
  const int unknown = pick(3);  // of four
  const int reads = 1 + pick(3);
  struct Customer {
    size_t step = SIZE_MAX;
    bool carried_out = false;
    bool refused = false;
  };
  std::vector<Customer> customers(2 + pick(3));
  const size_t count = 4 + pick(6);
  std::vector<bool> gone;
  for (int64_t now = 4; now < 800; now += 4) {  // room for Mutate()
    Customer& customer = customers[static_cast<size_t>(pick(static_cast<int>(customers.size())))];
    if (customer.step == SIZE_MAX) {
      if (bank.steps.size() == count) continue;
      BankStep step;
      step.invoke = now;
      step.event = bank.steps.size();
      step.reads = pick(5) < reads;
      step.from = static_cast<uint32_t>(pick(static_cast<int>(bank.accounts)));
      step.to = (step.from + 1 + static_cast<uint32_t>(pick(static_cast<int>(bank.accounts) - 1))) %
                bank.accounts;
      step.amount = 1 + pick(amounts);
      if (!step.reads && pick(4) < unknown)
        step.over = kNever;
      else
        step.over = 0;
      customer = {bank.steps.size(), false, false};
      bank.steps.push_back(step);
      gone.push_back(false);
      continue;
    }
    BankStep& step = bank.steps[customer.step];
    if (!customer.carried_out) {
      customer.carried_out = true;
      if (step.reads) {
        step.balances = balances;
      } else if (balances[step.from] < step.amount && !bank.overdrafts) {
        customer.refused = true;
      } else if (!step.is_optional() || pick(2) == 0) {
        balances[step.from] -= step.amount;
        balances[step.to] += step.amount;
      }
      continue;
    }
    if (!step.is_optional()) step.over = now;
    if (customer.refused && !step.is_optional()) gone[customer.step] = true;
    customer.step = SIZE_MAX;
  }
  std::vector<BankStep> steps;
  for (size_t i = 0; i < bank.steps.size(); ++i) {
    if (!gone[i] && bank.steps[i].over != 0) steps.push_back(bank.steps[i]);
  }
  bank.steps = std::move(steps);
  return bank;
}

void Mutate(std::mt19937* random, BankSteps* bank) {
  const auto pick = [&](size_t below) { return static_cast<size_t>((*random)() % below); };
  if (bank->steps.empty()) return;
  BankStep& step = bank->steps[pick(bank->steps.size())];
  BankStep& other = bank->steps[pick(bank->steps.size())];
  switch (pick(7)) {
    case 0:
    case 1:
      if (!step.reads) break;
      --step.balances[pick(bank->accounts)];
      ++step.balances[pick(bank->accounts)];
      for (int64_t balance : step.balances) {
        if (balance < 0) bank->overdrafts = true;  // refused before it comes to a search else
      }
      break;
    case 2:
      if (step.reads && other.reads) std::swap(step.balances, other.balances);
      break;
    case 3:
      if (!step.reads) ++step.amount;
      break;
    case 4:
      if (!step.is_optional() && step.over > step.invoke + 2) step.over = step.invoke + 1;
      break;
    case 5:
      if (!step.reads) std::swap(step.from, step.to);
      break;
    default:
      bank->steps.erase(bank->steps.begin() +
                        static_cast<std::ptrdiff_t>(pick(bank->steps.size())));
      break;
  }
}

std::string Text(const BankSteps& bank) {
  std::string out = bank.overdrafts ? "overdrafts\n" : "";
  for (const BankStep& step : bank.steps) {
    out += fmt::format("{}-{}: ", step.invoke, step.is_optional() ? 0 : step.over);
    if (step.reads) {
      for (int64_t balance : step.balances) out += fmt::format("{} ", balance);
      out += "\n";
    } else {
      out += fmt::format("{} from {} to {}\n", step.amount, step.from, step.to);
    }
  }
  return out;
}

TEST(BankBruteForce, Agrees) {
  const char* asked = std::getenv("CHECKER_ROUNDS");
  const uint32_t rounds = asked == nullptr ? 6000 : static_cast<uint32_t>(std::atoll(asked));
  uint32_t right = 0;
  uint32_t wrong = 0;
  uint32_t undecided = 0;
  uint32_t tried = 0;
  for (uint32_t round = 0; round < rounds; ++round) {
    std::mt19937 random(round);
    BankSteps bank = RandomBank(&random);
    const bool valid = random() % 4 == 0;
    for (uint32_t i = 0; !valid && i < 1 + random() % 4; ++i) Mutate(&random, &bank);
    const bool expected = SimpleBankJudge(bank).IsRight();
    if (valid) {
      ASSERT_TRUE(expected) << "the test itself is wrong, round " << round << "\n" << Text(bank);
    }
    const Budget budget(ThreadCpuClock::Instance(), std::chrono::minutes(1));
    const BankAnswer answer = JudgeBank(bank, budget);
    if (answer == BankAnswer::kUnknown) {
      ++undecided;
    } else {
      ++(expected ? right : wrong);
      ASSERT_EQ(answer == BankAnswer::kExplained, expected) << "round " << round << "\n"
                                                            << Text(bank);
    }
    // Both searches alone.
    BankTrial trial(bank, budget);
    const BankTrial::Answer tells = trial.Run();
    ASSERT_EQ(tells == BankTrial::Answer::kExplained, expected) << "round " << round << "\n"
                                                                << Text(bank);
    ASSERT_TRUE(!expected || Explains(bank, trial.order())) << "round " << round << "\n"
                                                            << Text(bank);
    BankSearch search(bank, budget);
    switch (search.Run()) {
      case BankSearch::Answer::kExplained:
        ASSERT_TRUE(expected && Explains(bank, search.order())) << "round " << round << "\n"
                                                                << Text(bank);
        break;
      case BankSearch::Answer::kViolation:
        ASSERT_FALSE(expected) << "round " << round << "\n" << Text(bank);
        break;
      default:
        ++tried;
        break;
    }
    // What is left of a wrong history is wrong, too.
    if (!expected && wrong % 16 == 0) {
      BankSteps some = bank;
      some.steps.clear();
      for (size_t event : ExplainBank(bank, budget).culprits) {
        for (const BankStep& step : bank.steps) {
          if (step.event == event) some.steps.push_back(step);
        }
      }
      ASSERT_FALSE(some.steps.empty()) << "round " << round << "\n" << Text(bank);
    }
  }
  fmt::print("{} right, {} wrong, {} undecided; {} left to the trial\n", right, wrong, undecided,
             tried);
  EXPECT_GT(right, rounds / 8);
  EXPECT_GT(wrong, rounds / 8);
  EXPECT_EQ(undecided, 0u);
}

}  // namespace
}  // namespace bank::checker
