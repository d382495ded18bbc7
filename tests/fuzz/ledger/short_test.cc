// The fuzz targets without a fuzzer: every test run feeds them their seeds and some thousand seeded
// mutations of these. `--write-seeds FOLDER` leaves the seeds there for libFuzzer.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "tests/fuzz/ledger/targets.h"

namespace bank::ledger {
namespace {

constexpr int kMutations = 5'000;

std::string Mutate(std::string bytes, std::mt19937_64* random) {
  static constexpr char kTelling[] = {0, 1, 2, 0x7f, '\x80', '\xff'};
  for (uint64_t n = 1 + (*random)() % 3; n > 0 && !bytes.empty(); --n) {
    const size_t at = (*random)() % bytes.size();
    switch ((*random)() % 5) {
      case 0:
        bytes[at] = static_cast<char>((*random)());
        break;
      case 1:
        bytes[at] = kTelling[(*random)() % std::size(kTelling)];
        break;
      case 2:
        bytes.insert(at, 1, kTelling[(*random)() % std::size(kTelling)]);
        break;
      case 3:
        bytes.erase(at, 1 + (*random)() % 4);
        break;
      default:
        bytes.insert(at, bytes.substr((*random)() % bytes.size(), 1 + (*random)() % 8));
    }
  }
  return bytes;
}

class ShortFuzz : public testing::TestWithParam<FuzzTarget> {};

TEST_P(ShortFuzz, SurvivesMutatedSeeds) {
  std::mt19937_64 random(20261121);
  for (const std::string& seed : GetParam().seeds()) {
    GetParam().run(seed);
    for (int i = 0; i < kMutations; ++i) GetParam().run(Mutate(seed, &random));
  }
}

INSTANTIATE_TEST_SUITE_P(All, ShortFuzz, testing::ValuesIn(FuzzTargets()),
                         [](const auto& target) { return std::string(target.param.name); });

void WriteSeeds(const std::filesystem::path& folder) {
  for (const FuzzTarget& target : FuzzTargets()) {
    std::filesystem::create_directories(folder / target.name);
    int n = 0;
    for (const std::string& seed : target.seeds()) {
      std::ofstream(folder / target.name / std::to_string(n++), std::ios::binary) << seed;
    }
  }
}

}  // namespace
}  // namespace bank::ledger

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc == 3 && std::string(argv[1]) == "--write-seeds") {
    bank::ledger::WriteSeeds(argv[2]);
    return 0;
  }
  return RUN_ALL_TESTS();
}
