// Goal: judging a history that names positions takes memory for what is open, not for its length.
// Method: a history ten times as long may hold no more operations at a time, and must not raise
// the process's peak by more than noise. No clocks.
#include <sys/resource.h>

#include <cstdio>

#include "tests/support/history_text.h"

namespace bank::checker {
namespace {

constexpr int kCustomers = 64;

// Deposits of one unit by many customers, each with one operation open at a time.
std::string WriteLongHistory(const std::string& name, int operations) {
  const std::string path = WriteTemporary(name, "");
  FILE* file = std::fopen(path.c_str(), "w");
  fmt::print(file, R"({{"type":"header","version":1,"initial":{{"shared":0}}}})"
                   "\n");
  for (int step = 0; step < operations + kCustomers; ++step) {
    const int answered = step - kCustomers;
    if (answered >= 0) {
      fmt::print(
          file,
          R"({{"type":"ok","process":{0},"id":{1},"session":{0},"sequence":{1},"op":"deposit",)"
          R"("account":"shared","amount":1,"result":"ok","balance":{2},"index":{2},"ns":{3}}})"
          "\n",
          answered % kCustomers + 1, answered / kCustomers + 1, answered + 1, step * 10);
    }
    if (step >= operations) continue;
    fmt::print(file,
               R"({{"type":"invoke","process":{0},"id":{1},"session":{0},"sequence":{1},)"
               R"("op":"deposit","account":"shared","amount":1,"ns":{2}}})"
               "\n",
               step % kCustomers + 1, step / kCustomers + 1, step * 10 + 5);
  }
  std::fclose(file);
  return path;
}

int64_t PeakKilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(Memory, DoesNotGrowWithTheHistory) {
  const std::string small = WriteLongHistory("small.jsonl", 10'000);
  const std::string large = WriteLongHistory("large.jsonl", 100'000);
  const auto first = JudgeHistory({.histories = {small}, .digests = {}});
  [[maybe_unused]] const int64_t before = PeakKilobytes();  // not with a sanitizer
  const auto second = JudgeHistory({.histories = {large}, .digests = {}});
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(second->verdict, Verdict::kConsistent);
  EXPECT_EQ(second->operations, 100'000u);
  EXPECT_EQ(second->passes, 1u);
  EXPECT_EQ(second->window_peak, first->window_peak);
#ifndef __SANITIZE_ADDRESS__
  EXPECT_LT(PeakKilobytes() - before, 4 * 1024);
#endif
  std::remove(small.c_str());
  std::remove(large.c_str());
}

}  // namespace
}  // namespace bank::checker
