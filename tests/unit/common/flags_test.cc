// Goal: command line > environment > config file, and the exit codes of what cannot be parsed.
// Method: one option given at each of the three places in turn.
#include "common/flags.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "common/exit_code.h"
#include "tests/support/temp_folder.h"

namespace bank {
namespace {

struct Parsed {
  std::optional<int> exit;
  int value = 0;
  std::string other;
};

Parsed Parse(std::vector<const char*> arguments) {
  FlagSet flags("test", "test");
  Parsed parsed;
  flags.Add("--some-value", parsed.value, "");
  flags.Add("--other", parsed.other, "");
  arguments.insert(arguments.begin(), "test");
  parsed.exit = flags.Parse(static_cast<int>(arguments.size()), arguments.data());
  return parsed;
}

class Flags : public ::testing::Test {
 protected:
  Flags() { std::ofstream(config_) << "some-value = 1\nother = \"from file\"\n"; }
  ~Flags() override { unsetenv("BANK_SOME_VALUE"); }
  const TempFolder folder_;
  const std::string config_ = folder_.Of("flags.toml");
};

TEST_F(Flags, CommandLineThenEnvironmentThenFile) {
  EXPECT_EQ(Parse({"--config", config_.c_str()}).value, 1);
  setenv("BANK_SOME_VALUE", "2", 1);
  EXPECT_EQ(Parse({}).value, 2);
  const Parsed both = Parse({"--config", config_.c_str()});
  EXPECT_EQ(both.value, 2);
  EXPECT_EQ(both.other, "from file");
  EXPECT_EQ(Parse({"--config", config_.c_str(), "--some-value", "3"}).value, 3);
}

TEST_F(Flags, ExitCodes) {
  EXPECT_EQ(Parse({"--help"}).exit, kExitOk);
  EXPECT_EQ(Parse({"--version"}).exit, kExitOk);
  EXPECT_EQ(Parse({"--unknown"}).exit, kExitUsage);
  EXPECT_EQ(Parse({"--some-value", "x"}).exit, kExitUsage);
  EXPECT_EQ(Parse({"--config", "/nowhere"}).exit, kExitBadInput);
  std::ofstream(config_) << "unheard-of = 1\n";
  EXPECT_EQ(Parse({"--config", config_.c_str()}).exit, kExitBadInput);
}

}  // namespace
}  // namespace bank
