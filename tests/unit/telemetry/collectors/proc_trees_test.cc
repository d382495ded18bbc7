// Goal: from the same two looks at a host's /proc the collectors make the same samples for ever.
// Method: the trees under proc/: `two_cores` is a recorded one, the others are written after the
// kernel's formats to hold what the recorded one lacks (see below). Each has two instants, two
// seconds apart, with a line `--- INSTANT/PATH` before each file; `.expected` are the samples of
// the second.
// `telemetry_test --rewrite` records what is found; review the difference.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "branch/telemetry/collectors/all.h"
#include "branch/telemetry/collectors/cpu.h"
#include "branch/telemetry/collectors/disk.h"
#include "branch/telemetry/collectors/files.h"
#include "branch/telemetry/collectors/load.h"
#include "branch/telemetry/collectors/memory.h"
#include "branch/telemetry/collectors/network.h"
#include "branch/telemetry/collectors/pressure.h"
#include "branch/telemetry/collectors/uptime.h"
#include "tests/support/temp_folder.h"

namespace bank::telemetry {
namespace {

namespace fs = std::filesystem;

bool rewrite = false;

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Writes what a tree holds of one instant to `root`. The collectors keep their files open: each
// instant's contents go into the same files.
void Show(const std::string& tree, int instant, const fs::path& root) {
  std::istringstream lines(tree);
  std::string line;
  std::ofstream file;
  const std::string ours = fmt::format("--- {}/", instant);
  while (std::getline(lines, line)) {
    if (line.starts_with("--- ")) {
      file.close();
      if (!line.starts_with(ours)) continue;
      const fs::path path = root / line.substr(ours.size());
      fs::create_directories(path.parent_path());
      file.open(path, std::ios::trunc);
    } else if (file.is_open()) {
      file << line << '\n';
    }
  }
}

constexpr HostUnits kUnits{.ticks_per_s = 100, .page_bytes = 4096, .cpus = 24};

std::string Line(const Sample& sample) {
  std::string attributes;
  for (const auto& [key, value] : sample.series->attributes) {
    attributes += fmt::format("{}{}={}", attributes.empty() ? "" : ",", key, value);
  }
  return fmt::format("{}{{{}}} {:.12g} {}\n", sample.series->metric, attributes, sample.value,
                     sample.series->unit);
}

class ProcTree : public testing::TestWithParam<const char*> {};

TEST_P(ProcTree, GivesTheExpectedReadings) {
  const std::string name =
      fmt::format(BANK_SOURCE_DIR "/tests/unit/telemetry/collectors/proc/{}", GetParam());
  const std::string tree = ReadAll(name + ".tree");
  ASSERT_FALSE(tree.empty()) << name;
  const TempFolder folder;
  const fs::path root = folder.path();
  const auto collectors = MakeHostCollectors(root, kUnits);
  std::string found;
  for (int instant : {0, 1}) {
    Show(tree, instant, root);
    std::vector<Sample> samples;
    for (const auto& collector : collectors) {
      collector->Collect((instant + 1) * int64_t{2'000'000'000}, &samples);
    }
    found.clear();
    for (const Sample& sample : samples) {
      EXPECT_NE(FindMetric(sample.series->metric), nullptr) << sample.series->metric;
      found += Line(sample);
    }
  }
  if (rewrite) {
    std::ofstream(name + ".expected", std::ios::trunc) << found;
  } else {
    EXPECT_EQ(found, ReadAll(name + ".expected")) << "if the change is meant: --rewrite";
  }
}

// large_host: 24 processors of which one goes off line and one comes; disks under a RAID and a
//   volume; a 32-bit counter that wraps; devices that go, come, and begin anew.
// no_pressure: an old kernel: no pressure-stall information, few fields, a partition whose disk is
//   not listed, iowait that goes back.
// container: memory figures of two worlds, no disks, no limit of files, a program's name with
//   blanks and brackets.
INSTANTIATE_TEST_SUITE_P(Hosts, ProcTree,
                         testing::Values("two_cores", "large_host", "no_pressure", "container"),
                         [](const auto& tree) { return std::string(tree.param); });

// Whatever a kernel of another time may write: no parser runs out of its text (the sanitizers
// watch), and none takes nonsense for a great many things.
TEST(ProcTrees, ParsersSurviveAnyText) {
  std::mt19937 random(1);
  std::vector<CpuTimes> times;
  std::vector<DiskBytes> disks;
  std::vector<InterfaceBytes> interfaces;
  for (const char* name : {"two_cores", "large_host", "no_pressure", "container"}) {
    const std::string tree =
        ReadAll(fmt::format(BANK_SOURCE_DIR "/tests/unit/telemetry/collectors/proc/{}.tree", name));
    for (int round = 0; round < 500; ++round) {
      const size_t begin = random() % tree.size();
      std::string text = tree.substr(begin, random() % 2000);
      for (int i = 0; i < 8 && !text.empty(); ++i) {
        constexpr std::string_view kBytes = " \n\t:-.0189cpu\xff";
        text[random() % text.size()] = kBytes[random() % kBytes.size()];
      }
      ParseCpuTimes(text, &times);
      ParseDiskstats(text, &disks);
      ParseNetDev(text, &interfaces);
      ParseMeminfo(text);
      ParseLoadAverages(text);
      ParseUptimeSeconds(text);
      ParseFileNr(text);
      ParsePressure(text);
      ParseProcessStat(text);
      ASSERT_LE(times.size() + disks.size() + interfaces.size(), text.size());
    }
  }
}

TEST(ProcTrees, AHostThatOffersNothingGivesNothing) {
  const auto collectors = MakeHostCollectors("/nonexistent", kUnits);
  std::vector<Sample> samples;
  for (const auto& collector : collectors) collector->Collect(1, &samples);
  EXPECT_TRUE(samples.empty());
}

}  // namespace
}  // namespace bank::telemetry

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--rewrite") bank::telemetry::rewrite = true;
  }
  return RUN_ALL_TESTS();
}
