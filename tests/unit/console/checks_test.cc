#include "branch/console/checks.h"

#include <gtest/gtest.h>

namespace bank::console {
namespace {

std::vector<Check> OneOfTwo() {
  return {{"quorum", [] { return absl::OkStatus(); }},
          {"disk", [] { return absl::UnavailableError("no space left"); }}};
}

TEST(Checks, OneFailureFails) {
  const ChecksAnswer answer = RunChecks("readyz", OneOfTwo(), {}, false);
  EXPECT_FALSE(answer.ok);
  EXPECT_EQ(answer.text, "[+]quorum ok\n[-]disk failed: no space left\nreadyz check failed\n");
}

TEST(Checks, ShortWhenAllIsWell) {
  EXPECT_EQ(RunChecks("livez", {OneOfTwo()[0]}, {}, false).text, "ok");
  EXPECT_EQ(RunChecks("livez", {OneOfTwo()[0]}, {}, true).text,
            "[+]quorum ok\nlivez check passed\n");
}

TEST(Checks, AnExcludedCheckIsNotRun) {
  const ChecksAnswer answer = RunChecks("readyz", OneOfTwo(), {"disk"}, true);
  EXPECT_TRUE(answer.ok);
  EXPECT_EQ(answer.text, "[+]quorum ok\n[+]disk excluded: ok\nreadyz check passed\n");
}

TEST(Checks, AnUnknownExclusionIsSaid) {
  const ChecksAnswer answer = RunChecks("readyz", OneOfTwo(), {"dsik"}, false);
  EXPECT_FALSE(answer.ok);
  EXPECT_NE(answer.text.find("there is no check 'dsik'"), std::string::npos);
}

}  // namespace
}  // namespace bank::console
