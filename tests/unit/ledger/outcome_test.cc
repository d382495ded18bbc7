// Outcomes on their way between branches: exact, canonical, and refused when they are anything
// else.
#include "branch/ledger/outcome.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

namespace bank::ledger {
namespace {

TEST(Outcome, RoundTrip) {
  const std::vector<Outcome> outcomes = {
      {Code::kOk, false, Position(1), 0},
      {Code::kTooManyAccounts, true, Position(std::numeric_limits<uint64_t>::max()),
       std::numeric_limits<int64_t>::max()},
      {Code::kBadCommand, false, Position(), 300}};
  std::string bytes;
  for (const Outcome& outcome : outcomes) AppendOutcome(outcome, &bytes);
  std::vector<Outcome> read;
  ASSERT_TRUE(DecodeOutcomes(bytes, outcomes.size(), &read));
  EXPECT_EQ(read, outcomes);
  EXPECT_FALSE(DecodeOutcomes(bytes, outcomes.size() - 1, &read));
  EXPECT_FALSE(DecodeOutcomes(bytes, outcomes.size() + 1, &read));
  EXPECT_FALSE(DecodeOutcomes(bytes, uint64_t{1} << 60, &read))
      << "a forged count allocates nothing";
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeOutcomes(bytes.substr(0, size), outcomes.size(), &read)) << size;
  }
}

TEST(Outcome, Bytes) {
  std::string bytes;
  AppendOutcome({Code::kInsufficientFunds, true, Position(5), 300}, &bytes);
  EXPECT_EQ(bytes, "\x81\x05\xac\x02");
}

TEST(Outcome, ImpossibleIsRefused) {
  std::vector<Outcome> read;
  // Each beside the one next to it that is taken.
  const auto with_code = [](Code code) { return std::string(1, static_cast<char>(code)) + "\1\1"; };
  EXPECT_TRUE(DecodeOutcomes(with_code(kCodeLast), 1, &read));
  EXPECT_FALSE(
      DecodeOutcomes(with_code(static_cast<Code>(static_cast<int>(kCodeLast) + 1)), 1, &read));
  const std::string almost = "\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff";
  EXPECT_TRUE(DecodeOutcomes(almost + "\x7f", 1, &read)) << "2^63-1";
  EXPECT_FALSE(DecodeOutcomes(almost + "\xff\x01", 1, &read)) << "a negative balance";
}

TEST(Outcome, EveryCodeHasItsName) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(kCodeLast); ++code) {
    names.insert(CodeName(static_cast<Code>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(kCodeLast) + 1);
  EXPECT_EQ(names.count("unknown_code"), 0u);
  EXPECT_EQ(CodeName(static_cast<Code>(99)), "unknown_code");
}

}  // namespace
}  // namespace bank::ledger
