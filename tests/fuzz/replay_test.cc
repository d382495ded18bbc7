// The fuzz targets without a fuzzer: every test run feeds them the committed corpus, their seeds
// and some thousand seeded mutations of both. `--write-seeds FOLDER` leaves corpus and seeds there
// for libFuzzer, a folder for each target.
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/fuzz/target.h"

namespace bank::fuzz {
namespace {

constexpr size_t kMutations = 3'000;  // of each target

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

// The committed corpus, in the order of its names, then the seeds.
std::vector<std::string> ValidInputs(const FuzzTarget& target) {
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  const fs::path folder = fs::path(BANK_SOURCE_DIR) / "tests/fuzz/corpus" / target.name;
  if (fs::exists(folder)) {
    for (const auto& file : fs::directory_iterator(folder)) files.push_back(file.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> inputs;
  for (const fs::path& path : files) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (target.seeds != nullptr) {
    for (std::string& seed : target.seeds()) inputs.push_back(std::move(seed));
  }
  return inputs;
}

class Replay : public testing::TestWithParam<FuzzTarget> {
 protected:
  // Protobuf would complain about each text that is no UTF-8.
  static void SetUpTestSuite() { google::protobuf::SetLogHandler(nullptr); }
};

TEST_P(Replay, SurvivesCorpusSeedsAndMutations) {
  const std::vector<std::string> inputs = ValidInputs(GetParam());
  ASSERT_FALSE(inputs.empty());
  std::mt19937_64 random(20261121);
  for (const std::string& input : inputs) GetParam().run(input);
  for (size_t i = 0; i < kMutations; ++i) {
    GetParam().run(Mutate(inputs[i % inputs.size()], &random));
  }
}

INSTANTIATE_TEST_SUITE_P(All, Replay, testing::ValuesIn(FuzzTargets()),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace bank::fuzz
