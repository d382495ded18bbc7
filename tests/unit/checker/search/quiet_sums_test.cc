// Goal: what sums between quiet points tell is told, whatever the number of orders. Method: thirty
// deposits at the same time, then one read.
#include "checker/search/quiet_sums.h"

#include "tests/support/history_text.h"

namespace bank::checker {
namespace {

constexpr int kDeposits = 30;

// Deposits at the same time, equal or not, whose answers tell nothing; then a read of `balance`.
std::vector<Spec> DepositsThenRead(bool equal, int64_t balance, int64_t read_invoked = 20) {
  std::vector<Spec> specs;
  for (int i = 1; i <= kDeposits; ++i) {
    specs.push_back({.process = static_cast<uint64_t>(i),
                     .op = "deposit",
                     .amount = equal ? 1 : i,
                     .balance = -1,
                     .invoke_ns = 1,
                     .return_ns = 10});
  }
  specs.push_back({.process = 99, .balance = balance, .invoke_ns = read_invoked, .return_ns = 30});
  return specs;
}

absl::StatusOr<Judgement> JudgeSpecs(const std::vector<Spec>& specs) {
  std::string text = HistoryText(specs);
  for (size_t at = 0; (at = text.find("\"balance\":-1,")) != text.npos;) text.erase(at, 13);
  return JudgeText(text);
}

TEST(QuietSums, DecideWhatNoSearchCould) {
  for (const bool equal : {true, false}) {
    const int64_t sum = equal ? kDeposits : kDeposits * (kDeposits + 1) / 2;
    EXPECT_EQ(JudgeSpecs(DepositsThenRead(equal, 400 + sum))->verdict, Verdict::kConsistent);
    for (const int64_t wrong : {sum - 1, sum + 1}) {
      const auto judgement = JudgeSpecs(DepositsThenRead(equal, 400 + wrong));
      EXPECT_EQ(judgement->verdict, Verdict::kInconsistent);
      ASSERT_EQ(judgement->violations.size(), 1u);
      EXPECT_TRUE(judgement->violations[0].has_initial);
    }
  }
}

TEST(QuietSums, LeaveOpenWhatIsUnderWay) {
  for (const int64_t some : {0, 7, kDeposits}) {
    EXPECT_EQ(JudgeSpecs(DepositsThenRead(true, 400 + some, 5))->verdict, Verdict::kConsistent);
  }
  EXPECT_EQ(JudgeSpecs(DepositsThenRead(true, 400 + kDeposits + 1, 5))->verdict,
            Verdict::kInconsistent);
}

}  // namespace
}  // namespace bank::checker
