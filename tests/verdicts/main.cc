// verdicts: the checker's verdicts on random small histories, against those of a judge by brute
// force (force_judge.h says what is right).
//
//   verdicts --rounds 100000 --seed 1     compare; on a disagreement, the smallest history with it
//   verdicts FILE...                      both verdicts on these histories
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "checker/judge.h"
#include "common/flags.h"
#include "fmt/format.h"
#include "tests/verdicts/disagreement.h"
#include "tests/verdicts/maker.h"

namespace bank::verdicts {
namespace {

int JudgeFiles(const std::vector<std::string>& files) {
  int wrong = 0;
  for (const std::string& path : files) {
    std::ifstream file(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const std::string said = SaidOf(text);
    const std::string right = RightOf(text);
    const std::string flaw = said == right ? "" : "  <- they differ";
    fmt::print("{}: checker: {}; by force: {}{}\n", path, said, right, flaw);
    wrong += flaw.empty() ? 0 : 1;
  }
  return wrong == 0 ? 0 : 6;
}

// Two histories in one file, and one without its header: both judges refuse them.
bool IsRefusedWhere(const std::string& text) {
  const std::string headless = text.substr(text.find('\n') + 1);
  const bool has_operations = headless.find("\"invoke\"") != headless.npos;
  for (const std::string& bad : {text + text, headless}) {
    if (bad == headless && !has_operations) continue;
    if (SaidOf(bad) != "refused" || RightOf(bad) != "refused") return false;
  }
  return true;
}

}  // namespace
}  // namespace bank::verdicts

int main(int argc, char** argv) {
  using namespace bank::verdicts;
  uint64_t rounds = 3000;
  uint64_t seed = 1;
  uint64_t shown = 1;
  uint64_t undecided_max = UINT64_MAX;
  std::string folder;
  std::vector<std::string> files;
  bank::FlagSet flags("Compares the checker's verdicts with those of a judge by brute force",
                      "verdicts");
  flags.Add("files", files, "histories to be judged by both");
  flags.Add("--rounds", rounds, "how many random histories").ShowDefault();
  flags.Add("--seed", seed, "of the first of them").ShowDefault();
  flags.Add("--shown", shown, "so many disagreements of a kind are shown").ShowDefault();
  flags.Add("--undecided-max", undecided_max, "more undecided histories are a failure");
  flags.Add("--save", folder, "a folder that gets the smallest histories, shown or not");
  if (const auto exit_code = flags.Parse(argc, argv)) return *exit_code;
  if (!files.empty()) return JudgeFiles(files);

  std::map<std::string, uint64_t> verdicts;
  std::map<std::string, uint64_t> flaws;
  for (uint64_t round = seed; round < seed + rounds; ++round) {
    const Made made = MakeStory(round);
    Comparison comparison = Compare(made.story);
    if (made.is_right && comparison.right == "inconsistent") {
      fmt::print("seed {}: a right bank's history is wrong by force: the test itself is\n{}", round,
                 TextOf(made.story));
      return 6;
    }
    if (round % 64 == 0 && !IsRefusedWhere(TextOf(made.story))) {
      fmt::print("seed {}: two histories in one, or none with a header, are not refused\n", round);
      return 6;
    }
    ++verdicts[comparison.right];
    if (comparison.flaw.empty()) continue;
    const uint64_t number = ++flaws[comparison.flaw];
    if (number > shown && folder.empty()) continue;
    const Story smallest = Shrink(made.story, comparison.flaw);
    const std::string text = TextOf(smallest);
    if (!folder.empty()) {
      std::ofstream(fmt::format("{}/{}-{}.jsonl", folder, comparison.flaw, round)) << text;
    }
    if (number > shown) continue;
    fmt::print("seed {}: {}; {}\n{}\n", round, comparison.flaw, Compare(smallest).words, text);
    std::fflush(stdout);
  }
  for (const auto& [verdict, count] : verdicts) fmt::print("{} {} by force\n", count, verdict);
  uint64_t bad = 0;
  for (const auto& [flaw, count] : flaws) {
    fmt::print("{} {}\n", count, flaw);
    if (flaw != "undecided" || count > undecided_max) bad += count;
  }
  fmt::print("{} histories from seed {}: {} disagreements\n", rounds, seed, bad);
  return bad == 0 ? 0 : 6;
}
