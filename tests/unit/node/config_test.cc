// Goal: a branch starts only with flags that make sense, and says in one line what does not; the
// voters and the bank's number follow from the members alone.
// Method: tables of command lines and member lists.
#include "branch/node/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/exit_code.h"

namespace bank::node {
namespace {

using ::testing::HasSubstr;

std::string Peers(int members) {
  std::string peers;
  for (int id = members; id >= 1; --id) {
    peers += std::to_string(id) + "=localhost:" + std::to_string(50050 + id) + (id > 1 ? "," : "");
  }
  return peers;
}

TEST(ParsePeers, LowestIdsVote) {
  const std::vector<std::pair<int, int>> voters_of = {{1, 1}, {2, 2}, {3, 3},
                                                      {4, 3}, {5, 5}, {50, 5}};
  for (const auto& [count, expected] : voters_of) {
    const auto members = ParsePeers(Peers(count));
    ASSERT_TRUE(members.ok()) << members.status();
    ASSERT_EQ(members->size(), static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ((*members)[i].id, BranchId(i + 1));
      EXPECT_EQ((*members)[i].voter, i < expected) << count;
    }
  }
}

TEST(ParsePeers, SaysWhatIsWrong) {
  const std::vector<std::pair<const char*, const char*>> rows = {
      {"", "'' is not ID=host:port"},
      {"localhost:1", "'localhost:1' is not ID=host:port"},
      {"=localhost:1", "is not ID=host:port"},
      {"0=localhost:1", "is not ID=host:port"},
      {"1x=localhost:1", "is not ID=host:port"},
      {"-1=localhost:1", "is not ID=host:port"},
      {"1=localhost", "branch 1: 'localhost' is not an address"},
      {"1=localhost:1,1=localhost:2", "--peers: branch 1 is named twice"},
      {"1=localhost:1,2=localhost:1", "--peers: localhost:1 is named twice"},
      {"1=localhost:1,", "'' is not ID=host:port"},
      {"1=localhost:1,2=localhost:0", "branch 2: 'localhost:0' is at port 0"},
      {"1=[::1]:0", "branch 1: '[::1]:0' is at port 0"},
      {"1=[::1]:00", "is not an address"},
      {"4294967296=localhost:1", "with an id from 1 to 4294967295"},
  };
  for (const auto& [peers, message] : rows) {
    const auto members = ParsePeers(peers);
    EXPECT_EQ(members.status().code(), absl::StatusCode::kInvalidArgument) << peers;
    EXPECT_THAT(std::string(members.status().message()), HasSubstr(message));
  }
}

TEST(ParseDial, GivesOtherAddressesOfOtherBranches) {
  const auto three = *ParsePeers(Peers(3));
  const auto dial = ParseDial({"2=proxy:7", "3=localhost:8"}, three, BranchId(1));
  ASSERT_TRUE(dial.ok()) << dial.status();
  EXPECT_EQ(*dial, (std::map<BranchId, std::string>{{BranchId(2), "proxy:7"},
                                                    {BranchId(3), "localhost:8"}}));
  const std::vector<std::pair<const char*, const char*>> rows = {
      {"localhost:1", "--dial: 'localhost:1' is not ID=host:port"},
      {"2=localhost", "--dial: branch 2: 'localhost' is not an address"},
      {"1=localhost:7", "--dial: branch 1 is none of the others"},
      {"4=localhost:7", "--dial: branch 4 is none of the others"},
  };
  for (const auto& [wrong, message] : rows) {
    EXPECT_THAT(std::string(ParseDial({wrong}, three, BranchId(1)).status().message()),
                HasSubstr(message));
  }
  EXPECT_FALSE(ParseDial({"2=localhost:7", "2=localhost:8"}, three, BranchId(1)).ok());
}

TEST(BankNumber, DependsOnMembersAndBalanceButNotOnAddresses) {
  const auto three = *ParsePeers("1=localhost:1,2=localhost:2,3=localhost:3");
  const auto moved = *ParsePeers("3=127.0.0.1:9,1=127.0.0.1:7,2=127.0.0.1:8");
  const auto four = *ParsePeers("1=localhost:1,2=localhost:2,3=localhost:3,4=localhost:4");
  EXPECT_NE(BankNumber(three, 400), 0u);
  EXPECT_EQ(BankNumber(three, 400), BankNumber(moved, 400));
  EXPECT_NE(BankNumber(three, 400), BankNumber(three, 401));
  EXPECT_NE(BankNumber(three, 400), BankNumber(four, 400));
}

Parsed Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "branch");
  return ParseConfig(static_cast<int>(arguments.size()), arguments.data());
}

TEST(ParseConfig, FillsInWhatIsNotGiven) {
  const Parsed parsed =
      Parse({"--id", "2", "--peers", "1=localhost:50051,2=localhost:7002", "--data", "/tmp/x"});
  ASSERT_TRUE(parsed.config.has_value());
  EXPECT_EQ(parsed.config->listen, "localhost:7002");
  EXPECT_EQ(parsed.config->driver.self, BranchId(2));
  EXPECT_EQ(parsed.config->driver.initial_members.size(), 2u);
  EXPECT_EQ(parsed.config->initial_balance, 0);
  EXPECT_FALSE(parsed.config->rebuild);
}

TEST(ParseConfig, DialMayBeRepeated) {
  const Parsed parsed =
      Parse({"--id", "2", "--peers", "1=localhost:1,2=localhost:2,3=localhost:3", "--data",
             "/tmp/x", "--dial", "1=localhost:7", "--dial=3=localhost:8"});
  ASSERT_TRUE(parsed.config.has_value());
  EXPECT_EQ(parsed.config->dial.at(BranchId(1)), "localhost:7");
  EXPECT_EQ(parsed.config->dial.at(BranchId(3)), "localhost:8");
}

TEST(ParseConfig, NobodyFillsABranchOfABankWithoutAMajorityOfOthers) {
  EXPECT_EQ(Parse({"--id", "1", "--peers", "1=localhost:1,2=localhost:2", "--data", "/tmp/x",
                   "--rebuild"})
                .exit_code,
            kExitBadInput);
  EXPECT_TRUE(Parse({"--id", "1", "--peers", "1=localhost:1,2=localhost:2,3=localhost:3", "--data",
                     "/tmp/x", "--rebuild"})
                  .config.has_value());
}

TEST(ParseConfig, ExitCodes) {
  const char* peers = "1=localhost:50051";
  EXPECT_EQ(Parse({"--help"}).exit_code, kExitOk);
  EXPECT_EQ(Parse({"--id", "1"}).exit_code, kExitUsage);
  EXPECT_EQ(Parse({"--id", "0", "--peers", peers, "--data", "x"}).exit_code, kExitUsage);
  EXPECT_EQ(
      Parse({"--id", "1", "--peers", peers, "--data", "x", "--initial-balance", "-1"}).exit_code,
      kExitUsage);
  EXPECT_EQ(Parse({"--id", "1", "--peers", peers, "--data", "x", "--replicator", "none"}).exit_code,
            kExitUsage);
  // At least as many as the engine needs, and no more than it can count.
  for (const char* trailing : {"0", "64", "4294967296"}) {
    EXPECT_EQ(
        Parse({"--id", "1", "--peers", peers, "--data", "x", "--trailing", trailing}).exit_code,
        kExitUsage)
        << trailing;
  }
  EXPECT_TRUE(
      Parse({"--id", "1", "--peers", peers, "--data", "x", "--trailing", "65"}).config.has_value());
  EXPECT_EQ(Parse({"--id", "2", "--peers", peers, "--data", "x"}).exit_code, kExitBadInput);
  EXPECT_EQ(
      Parse({"--id", "1", "--peers", peers, "--data", "x", "--dial", "2=localhost:7"}).exit_code,
      kExitBadInput);
  EXPECT_EQ(Parse({"--id", "1", "--peers", peers, "--data", ""}).exit_code, kExitUsage);
  EXPECT_EQ(
      Parse({"--id", "1", "--peers", peers, "--data", "x", "--monitor", "localhost:0"}).exit_code,
      kExitBadInput);
  EXPECT_TRUE(Parse({"--id", "1", "--peers", peers, "--data", "x", "--listen", "localhost:0"})
                  .config.has_value());
  EXPECT_TRUE(Parse({"--id", "4294967295", "--peers", "4294967295=localhost:1", "--data", "x"})
                  .config.has_value());
  for (const char* flag : {"--listen", "--http", "--monitor"}) {
    EXPECT_EQ(Parse({"--id", "1", "--peers", peers, "--data", "x", flag, "nonsense"}).exit_code,
              kExitBadInput)
        << flag;
  }
  EXPECT_EQ(
      Parse({"--id", "1", "--peers", peers, "--data", "x", "--heartbeat-ms", "900"}).exit_code,
      kExitBadInput);
}

}  // namespace
}  // namespace bank::node
