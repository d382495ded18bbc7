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
  int64_t amount = 0;
  uint64_t key = 0;
  bool key_given = false;
  double seconds = 0;
  std::vector<uint32_t> several;
};

Parsed Parse(std::vector<const char*> arguments) {
  FlagSet flags("test", "test");
  Parsed parsed;
  flags.Add("--some-value", parsed.value, "");
  flags.Add("--other", parsed.other, "");
  flags.Add("AMOUNT", parsed.amount, "");
  const Flag key = flags.Add("--key", parsed.key, "").OfOneCall();
  flags.Add("--seconds", parsed.seconds, "").Between(0.001, 86'400.0);
  flags.Add("--several", parsed.several, "").SplitAt(',').Between(0u, 1000u);
  arguments.insert(arguments.begin(), "test");
  parsed.exit = flags.Parse(static_cast<int>(arguments.size()), arguments.data());
  parsed.key_given = key.given();
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

TEST_F(Flags, NumbersAreDecimal) {
  EXPECT_EQ(Parse({"10"}).amount, 10);
  EXPECT_EQ(Parse({"9223372036854775807"}).amount, INT64_MAX);
  EXPECT_EQ(Parse({"--key", "18446744073709551615"}).key, UINT64_MAX);
  EXPECT_EQ(Parse({"--several", "1,20"}).several, (std::vector<uint32_t>{1, 20}));
  for (const char* text : {"010", "0x10", "+10", "-10", "1e1", "1_0", "9223372036854775808",
                           "99999999999999999999", "", " 1"}) {
    EXPECT_EQ(Parse({"--some-value", text}).exit, kExitUsage) << text;
    EXPECT_EQ(Parse({"--", text}).exit, kExitUsage) << text;
    EXPECT_EQ(Parse({"--several", text}).exit, kExitUsage) << text;
    std::ofstream(config_) << "some-value = \"" << text << "\"\n";
    EXPECT_EQ(Parse({"--config", config_.c_str()}).exit, kExitUsage) << text;
    if (*text == '\0') continue;  // a variable that is empty is none
    setenv("BANK_SOME_VALUE", text, 1);
    EXPECT_EQ(Parse({}).exit, kExitUsage) << text;
    unsetenv("BANK_SOME_VALUE");
  }
  EXPECT_EQ(Parse({"--some-value", "4294967296"}).exit, kExitUsage);
  EXPECT_EQ(Parse({"--key", "18446744073709551616"}).exit, kExitUsage);
  EXPECT_EQ(Parse({"--several", "1,010"}).exit, kExitUsage);
  EXPECT_EQ(Parse({"--seconds", "0.5"}).seconds, 0.5);
  for (const char* text : {"nan", "inf", "1e3", "0x10", "05", "-1"}) {
    EXPECT_EQ(Parse({"--seconds", text}).exit, kExitUsage) << text;
  }
}

TEST_F(Flags, WhatBelongsToOneCallIsNotLeftLyingAbout) {
  setenv("BANK_KEY", "7", 1);
  EXPECT_EQ(Parse({}).key, 0u);
  EXPECT_FALSE(Parse({}).key_given);
  EXPECT_TRUE(Parse({"--key", "0"}).key_given);
  EXPECT_EQ(Parse({}).exit, std::nullopt);
  unsetenv("BANK_KEY");
  for (const char* line : {"key = 7\n", "AMOUNT = 7\n"}) {
    std::ofstream(config_) << line;
    EXPECT_EQ(Parse({"--config", config_.c_str()}).exit, kExitBadInput) << line;
  }
}

}  // namespace
}  // namespace bank
