// Goal: of projects 1 and 3, right outputs are acquitted and every output with one thing changed is
// convicted, unless the change leaves it right by another order. Method: random small inputs from a
// fixed seed; right outputs by running them; what a change means is decided by a judge too simple
// to be wrong, which tries every order.
#include <gtest/gtest.h>

#include "tests/unit/checker/course/right_outputs.h"

namespace bank::checker::course {
namespace {

using script::Project;

// The answers as they stand in the output, by entry; null: one is not there or says nothing.
class SimpleJudge {
 public:
  SimpleJudge(const CourseCase& test, const Json& output) : test_(test) {
    for (const Json& element : test.input) {
      if (element["type"] == "branch") balance_ = element["balance"];
      if (element["type"] != "customer") continue;
      events_.push_back(element["events"]);
      answers_.push_back(output[events_.size() - 1]["recv"]);
    }
  }

  bool IsRight() {
    if (test_.options.sessions) {
      for (size_t i = 0; i < events_.size(); ++i) {
        alone_ = i;
        if (!Explain(std::vector<size_t>(events_.size(), 0), balance_)) return false;
      }
      return true;
    }
    return Explain(std::vector<size_t>(events_.size(), 0), balance_);
  }

 private:
  static constexpr size_t kNobody = static_cast<size_t>(-1);

  bool IsFinal(size_t entry, size_t done) const {
    for (size_t i = done; i < events_[entry].size(); ++i) {
      if (events_[entry][i]["interface"] != "query") return false;
    }
    return true;
  }

  bool MayGo(const std::vector<size_t>& done, size_t entry) const {
    const Order order = test_.options.order;
    if (alone_ != kNobody) return order != Order::kSequential || entry <= alone_;
    for (size_t other = 0; other < done.size(); ++other) {
      if (order == Order::kSequential && other < entry && done[other] < events_[other].size())
        return false;
      if (order == Order::kConverged && IsFinal(entry, done[entry]) &&
          !IsFinal(other, done[other])) {
        return false;
      }
    }
    return true;
  }

  // False: this answer cannot be given now.
  bool Play(size_t entry, size_t operation, int64_t* balance) const {
    const Json& event = events_[entry][operation];
    const Json& answer = answers_[entry][operation];
    const bool judged = alone_ == kNobody || alone_ == entry;
    if (event["interface"] == "query") return !judged || answer["balance"] == *balance;
    const int64_t money = event["money"];
    const bool deposit = event["interface"] == "deposit";
    const bool works = deposit || money <= *balance;
    const bool told = answer["result"] == "success";
    if (judged && told != works) return false;
    if (told) *balance += deposit ? money : -money;
    return true;
  }

  bool Explain(std::vector<size_t> done, int64_t balance) const {
    bool over = true;
    for (size_t i = 0; i < done.size(); ++i) {
      if (alone_ == kNobody || alone_ == i) over = over && done[i] == events_[i].size();
    }
    if (over) return true;
    for (size_t i = 0; i < done.size(); ++i) {
      if (done[i] == events_[i].size() || !MayGo(done, i)) continue;
      int64_t after = balance;
      if (!Play(i, done[i], &after)) continue;
      ++done[i];
      if (Explain(done, after)) return true;
      --done[i];
    }
    return false;
  }

  const CourseCase& test_;
  int64_t balance_ = 0;
  std::vector<Json> events_;
  std::vector<Json> answers_;
  size_t alone_ = kNobody;  // the entry whose session is judged
};

// Changes one thing. True: whatever the order, it is wrong now.
bool Change(Random* random, Json* output, std::string* what) {
  const size_t entry = (*random)() % output->size();
  Json& element = (*output)[entry];
  Json& answers = element["recv"];
  const size_t at = (*random)() % answers.size();
  Json& answer = answers[at];
  const bool query = answer["interface"] == "query";
  switch ((*random)() % 10) {
    case 0:
      *what = "an answer is lost";
      answers.erase(at);
      return true;
    case 1:
      *what = "an answer is there twice";
      answers.push_back(answer);
      return true;
    case 2:
      *what = "an element is lost";
      output->erase(entry);
      return true;
    case 3:
      *what = "another customer's id";
      element["id"] = 77;
      return true;
    case 4:
      *what = "another interface";
      answer["interface"] = query ? "deposit" : "query";
      return true;
    case 5:
      *what = "the value is lost";
      answer.erase(query ? "balance" : "result");
      return true;
    case 6:
      *what = "a value of no kind";
      answer[query ? "balance" : "result"] = query ? "many" : "perhaps";
      return true;
    case 7:
      if (answer.contains("branch")) {
        *what = "another branch";
        answer["branch"] = 88;
        return true;
      }
      [[fallthrough]];
    default:
      *what = query ? "another balance" : "the other result";
      if (query) {
        const int64_t balance = answer["balance"];
        const int64_t by = 1 + static_cast<int64_t>((*random)() % 20);
        answer["balance"] = (*random)() % 2 == 0 ? balance + by : balance - by;
      } else {
        answer["result"] = answer["result"] == "success" ? "fail" : "success";
      }
      return false;
  }
}

struct MutationKind {
  Project project;
  Order order;
  bool sessions;
  size_t rounds;
};

class BalanceMutations : public testing::TestWithParam<MutationKind> {};

TEST_P(BalanceMutations, RightOnesAreAcquittedAndChangedOnesConvicted) {
  const MutationKind& setup = GetParam();
  Random random(20261201);
  size_t convicted = 0;
  size_t still_right = 0;
  for (size_t round = 0; round < setup.rounds; ++round) {
    CourseCase test = BalanceCase(&random, setup.project, setup.order, {.entries = 2 + round % 3});
    test.options.sessions = setup.sessions;
    const Grade right = GradeOf(test, test.output);
    ASSERT_EQ(right.mark, Mark::kRight) << right.faults[0].what << "\n"
                                        << test.input << "\n"
                                        << test.output;
    ASSERT_EQ(right.values, right.values_right);
    Json changed = test.output;
    std::string what;
    const bool surely_wrong = Change(&random, &changed, &what);
    const bool is_right = !surely_wrong && SimpleJudge(test, changed).IsRight();
    const Grade grade = GradeOf(test, changed);
    ASSERT_EQ(grade.mark, is_right ? Mark::kRight : Mark::kWrong) << what << "\n"
                                                                  << test.input << "\n"
                                                                  << changed;
    ASSERT_EQ(grade.faults.empty(), is_right);
    if (!is_right) {
      ASSERT_LT(grade.values_right, grade.values) << what << changed << test.input;
    }
    (is_right ? still_right : convicted) += 1;
  }
  EXPECT_GT(convicted, setup.rounds * 7 / 10);
  if (setup.order != Order::kSequential) {
    EXPECT_GT(still_right, 0U) << "the simple judge was never needed";
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BalanceMutations,
    testing::Values(MutationKind{Project::kOneBalance, Order::kSequential, false, 200},
                    MutationKind{Project::kOneBalance, Order::kConverged, false, 300},
                    MutationKind{Project::kOneBalance, Order::kConcurrent, false, 300},
                    MutationKind{Project::kClientCentric, Order::kSequential, false, 200},
                    MutationKind{Project::kClientCentric, Order::kConcurrent, false, 200},
                    MutationKind{Project::kClientCentric, Order::kSequential, true, 300},
                    MutationKind{Project::kClientCentric, Order::kConcurrent, true, 300}));

// What the simple judge says of any answers, also of ones that no bank ever gave.
TEST(BalanceBruteForce, AnyAnswersAreJudgedAsByTryingEveryOrder) {
  Random random(7);
  size_t right = 0;
  for (size_t round = 0; round < 3000; ++round) {
    const Order order = round % 3 == 0 ? Order::kConverged : Order::kConcurrent;
    CourseCase test = BalanceCase(&random, Project::kOneBalance, order, {.entries = 2 + round % 3});
    for (Json& element : test.output) {
      for (Json& answer : element["recv"]) {
        if (answer["interface"] == "query") {
          if (random() % 3 == 0) answer["balance"] = random() % 60;
        } else if (random() % 6 == 0) {
          answer["result"] = answer["result"] == "success" ? "fail" : "success";
        }
      }
    }
    const bool is_right = SimpleJudge(test, test.output).IsRight();
    right += is_right ? 1 : 0;
    ASSERT_EQ(GradeOf(test, test.output).mark, is_right ? Mark::kRight : Mark::kWrong)
        << test.input << "\n"
        << test.output;
  }
  EXPECT_GT(right, 300U);
  EXPECT_LT(right, 2700U);
}

// A history of fifty customers at once is explained, and a balance that nothing adds up to is not.
TEST(BalanceSize, FiftyCustomersAtOnce) {
  Random random(50);
  for (size_t round = 0; round < 5; ++round) {
    CourseCase test = BalanceCase(&random, Project::kOneBalance, Order::kConcurrent,
                                  {.entries = 50, .operations_max = 4});
    EXPECT_EQ(GradeOf(test, test.output).mark, Mark::kRight) << test.input << test.output;
    for (Json& element : test.output) {
      for (Json& answer : element["recv"]) {
        if (answer.contains("balance")) answer["balance"] = 1'000'000;
      }
    }
    EXPECT_EQ(GradeOf(test, test.output).mark, Mark::kWrong);
  }
}

}  // namespace
}  // namespace bank::checker::course
