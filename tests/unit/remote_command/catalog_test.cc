// What operators may type, and what is refused before anything runs.
#include "branch/remote_command/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace bank::remote_command {
namespace {

using testing::HasSubstr;

struct Accepted {
  std::vector<std::string> words;
  Command command;
};

TEST(Catalog, WordsBecomeACommandAndItsTextGivesTheWordsBack) {
  const std::vector<Accepted> cases = {
      {{"set-sampling-interval", "500"}, SetSamplingInterval{500}},
      {{"enable-collector", "cpu"}, SetCollector{"cpu", true}},
      {{"disable-collector", "pressure"}, SetCollector{"pressure", false}},
      {{"take-snapshot"}, TakeSnapshot{}},
      {{"transfer-leadership"}, TransferLeadership{}},
      {{"transfer-leadership", "3"}, TransferLeadership{BranchId(3)}},
      {{"set-log-level", "debug"}, SetLogLevel{"debug"}},
      {{"list-sessions"}, ListSessions{}},
      {{"list-sessions", "7"}, ListSessions{7}},
      {{"top-accounts", "10000"}, TopAccounts{10'000}},
      {{"verify-digest"}, VerifyDigest{}},
      {{"df"}, HostDiagnostic{"df"}},
      {{"ps"}, HostDiagnostic{"ps"}},
  };
  for (const Accepted& accepted : cases) {
    const auto command = Parse(accepted.words);
    ASSERT_TRUE(command.ok()) << accepted.words[0] << ": " << command.status();
    EXPECT_EQ(*command, accepted.command) << accepted.words[0];
    std::string text = accepted.words[0];
    for (size_t i = 1; i < accepted.words.size(); ++i) text += " " + accepted.words[i];
    EXPECT_EQ(Text(*command), text);
  }
}

TEST(Catalog, EveryListedCommandIsParsedAsWhatItSays) {
  const std::map<std::string, std::string> arguments = {{"set-sampling-interval", "100"},
                                                        {"enable-collector", "cpu"},
                                                        {"disable-collector", "cpu"},
                                                        {"set-log-level", "info"}};
  for (const Entry& entry : Catalog()) {
    std::vector<std::string> words = {std::string(entry.name)};
    if (const auto needed = arguments.find(words[0]); needed != arguments.end()) {
      words.push_back(needed->second);
    }
    const auto command = Parse(words);
    ASSERT_TRUE(command.ok()) << command.status();
    EXPECT_TRUE(Text(*command).starts_with(entry.name)) << Text(*command);
  }
}

struct Refused {
  std::vector<std::string> words;
  std::string message;
};

TEST(Catalog, EachRefusalIsOneLineThatSaysWhatIsWrong) {
  const std::vector<Refused> cases = {
      {{}, "no command is named"},
      {{"reboot"}, "no command reboot: one of set-sampling-interval, "},
      {{"df; rm -rf /"}, "no command \"df; rm -rf /\""},
      {{"$(id)"}, "no command \"$(id)\""},
      {{"a\nb"}, "no command \"a\\x0ab\""},
      {{"df", "-h"}, "df takes no arguments: -h is too much"},
      {{"df", "; id"}, "df takes no arguments: \"; id\" is too much"},
      {{"top-accounts", "ten"}, "the limit is not a number: ten"},
      {{"top-accounts", "-1"}, "the limit is not a number: -1"},
      {{"top-accounts", "10001"}, "limit 10001 is not in 0..10000"},
      {{"top-accounts", "1", "2"}, "takes one argument: 2 is too much"},
      {{"list-sessions", "99999999999"}, "the limit is not a number"},
      {{"set-sampling-interval"}, "set-sampling-interval needs MILLISECONDS"},
      {{"set-sampling-interval", "99"}, "99 ms is not in 100..3600000"},
      {{"set-sampling-interval", "3600001"}, "is not in 100..3600000"},
      {{"enable-collector", "`id`"}, "no collector \"`id`\": one of cpu, "},
      {{"set-log-level", "loud"}, "no log level loud: one of trace, "},
      {{"transfer-leadership", "two"}, "the branch is not a number: two"},
  };
  for (const Refused& refused : cases) {
    const auto command = Parse(refused.words);
    ASSERT_EQ(command.status().code(), absl::StatusCode::kInvalidArgument) << refused.message;
    EXPECT_THAT(std::string(command.status().message()), HasSubstr(refused.message));
    EXPECT_EQ(command.status().message().find('\n'), std::string::npos);
  }
}

TEST(Catalog, WhatComesOverTheWireIsCheckedTheSame) {
  EXPECT_FALSE(Check(Command()).ok());
  EXPECT_FALSE(Check(HostDiagnostic{"/bin/sh"}).ok());
  EXPECT_FALSE(Check(HostDiagnostic{"../bin/df"}).ok());
  EXPECT_FALSE(Check(HostDiagnostic{"DF"}).ok());
  EXPECT_FALSE(Check(HostDiagnostic{""}).ok());
  EXPECT_FALSE(Check(HostDiagnostic{std::string("df\0x", 4)}).ok());
  EXPECT_FALSE(Check(HostDiagnostic{"take-snapshot"}).ok());
  EXPECT_FALSE(Check(SetSamplingInterval{0}).ok());
  EXPECT_FALSE(Check(SetCollector{"", true}).ok());
  EXPECT_TRUE(Check(HostDiagnostic{"free"}).ok());
}

TEST(Catalog, TheTextOfNonsenseIsOneShortPrintableLine) {
  const std::string text = Text(HostDiagnostic{"sh -c 'id'\n\x1b[2J" + std::string(10'000, 'x')});
  EXPECT_LT(text.size(), 300u);
  for (const char c : text) EXPECT_TRUE(c >= ' ' && c <= '~') << static_cast<int>(c);
}

TEST(Catalog, NamesAndDeadlines) {
  EXPECT_TRUE(CheckId("a-B_9").ok());
  EXPECT_FALSE(CheckId("").ok());
  EXPECT_FALSE(CheckId("a.b").ok());
  EXPECT_FALSE(CheckId("a#1").ok());
  EXPECT_FALSE(CheckId(std::string(65, 'a')).ok());
  EXPECT_TRUE(CheckAgentName("branch-3").ok());
  EXPECT_TRUE(CheckAgentName("py.host_1").ok());
  EXPECT_FALSE(CheckAgentName("branch 3").ok());
  EXPECT_FALSE(CheckDeadline(0).ok());
  EXPECT_FALSE(CheckDeadline(-5).ok());
  EXPECT_TRUE(CheckDeadline(600'000).ok());
  EXPECT_FALSE(CheckDeadline(600'001).ok());
}

}  // namespace
}  // namespace bank::remote_command
