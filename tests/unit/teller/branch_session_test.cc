// The branch's own keys: never twice, and never so far apart that the ledger's window is full.
#include "branch/teller/branch_session.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace bank::teller {
namespace {

TEST(BranchSession, NoneWithoutASession) {
  BranchSession keys(10);
  EXPECT_FALSE(keys.Take(1).has_value());
  keys.Open(SessionId(5));
  const auto grant = keys.Take(3);
  ASSERT_TRUE(grant.has_value());
  EXPECT_EQ(grant->session, SessionId(5));
  EXPECT_EQ(grant->first_sequence, 1u);
  EXPECT_EQ(grant->answered_below, 1u);
  EXPECT_EQ(keys.Take(1)->first_sequence, 4u);
}

TEST(BranchSession, TheWindowBoundsWhatIsUnanswered) {
  BranchSession keys(10);
  keys.Open(SessionId(5));
  const auto first = keys.Take(4);
  const auto second = keys.Take(6);
  EXPECT_FALSE(keys.Take(1).has_value());
  keys.Answered(*second);
  EXPECT_FALSE(keys.Take(1).has_value()) << "the oldest holds the floor down";
  keys.Answered(*first);
  const auto third = keys.Take(10);
  ASSERT_TRUE(third.has_value());
  EXPECT_EQ(third->first_sequence, 11u);
  EXPECT_EQ(third->answered_below, 11u);
  EXPECT_FALSE(BranchSession(10).Take(11).has_value());
}

TEST(BranchSession, AnExpiredSessionIsForgotten) {
  BranchSession keys(10);
  keys.Open(SessionId(5));
  const auto old = keys.Take(10);
  keys.Close(SessionId(4));
  EXPECT_TRUE(keys.open());
  keys.Close(SessionId(5));
  EXPECT_FALSE(keys.open());
  keys.Open(SessionId(9));
  const auto fresh = keys.Take(10);
  ASSERT_TRUE(fresh.has_value());
  EXPECT_EQ(fresh->first_sequence, 1u);
  keys.Answered(*old);
  EXPECT_FALSE(keys.Take(1).has_value()) << "the former session's grants count for nothing";
}

TEST(BranchSession, RandomOrderOfAnswers) {
  constexpr uint64_t kWindow = 64;
  std::mt19937_64 random(7);
  BranchSession keys(kWindow);
  keys.Open(SessionId(1));
  std::vector<std::pair<BranchSession::Grant, uint64_t>> open;
  std::set<uint64_t> used;
  for (int step = 0; step < 20'000; ++step) {
    const uint64_t count = 1 + random() % 9;
    if (const auto grant = keys.Take(count); grant.has_value()) {
      for (uint64_t i = 0; i < count; ++i) {
        ASSERT_TRUE(used.insert(grant->first_sequence + i).second);
      }
      ASSERT_LT(grant->first_sequence + count - 1, grant->answered_below + kWindow);
      for (const auto& [other, n] : open) ASSERT_GE(other.first_sequence, grant->answered_below);
      open.emplace_back(*grant, count);
    }
    if (!open.empty() && random() % 2 == 0) {
      const size_t i = random() % open.size();
      keys.Answered(open[i].first);
      open.erase(open.begin() + static_cast<int64_t>(i));
    }
  }
}

}  // namespace
}  // namespace bank::teller
