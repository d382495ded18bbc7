// Goal: the bound holds, nobody enters a closed gate, and closing waits for those inside.
#include "branch/rpc/inflight_limit.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace bank::rpc {
namespace {

using Entry = InflightLimit::Entry;

TEST(InflightLimit, BoundsWhatIsInFlight) {
  InflightLimit inflight_limit(10);
  EXPECT_EQ(inflight_limit.Enter(9), Entry::kEntered);
  EXPECT_EQ(inflight_limit.Enter(2), Entry::kBusy);
  EXPECT_EQ(inflight_limit.Enter(1), Entry::kEntered);
  EXPECT_EQ(inflight_limit.Enter(), Entry::kBusy);
  inflight_limit.Leave(9);
  EXPECT_EQ(inflight_limit.Enter(), Entry::kEntered);
  EXPECT_EQ(inflight_limit.open(), 2);
}

TEST(InflightLimit, LetsOneLargeBatchInWhenEmpty) {
  InflightLimit inflight_limit(10);
  EXPECT_EQ(inflight_limit.Enter(1000), Entry::kEntered);
  EXPECT_EQ(inflight_limit.Enter(), Entry::kBusy);
}

TEST(InflightLimit, MayBeMadeClosed) {
  InflightLimit inflight_limit(10, InflightLimit::Door::kClosed);
  EXPECT_EQ(inflight_limit.Enter(), Entry::kClosed);
  inflight_limit.Open();
  EXPECT_EQ(inflight_limit.Enter(), Entry::kEntered);
}

TEST(InflightLimit, ClosesForGoodAndWaits) {
  InflightLimit inflight_limit(10);
  ASSERT_EQ(inflight_limit.Enter(), Entry::kEntered);
  inflight_limit.Close();
  EXPECT_EQ(inflight_limit.Enter(), Entry::kClosed);
  EXPECT_FALSE(inflight_limit.AwaitEmpty(std::chrono::milliseconds(1)));
  std::jthread leaver([&] { inflight_limit.Leave(); });
  EXPECT_TRUE(inflight_limit.AwaitEmpty(std::chrono::seconds(10)));
  EXPECT_EQ(inflight_limit.Enter(), Entry::kClosed);
}

TEST(InflightLimit, ManyThreadsKeepToTheBound) {
  InflightLimit inflight_limit(3);
  std::atomic<int> inside{0}, entered{0}, too_many{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 10'000; ++i) {
          if (inflight_limit.Enter() != Entry::kEntered) continue;
          if (++inside > 3) ++too_many;
          ++entered;
          std::this_thread::yield();
          --inside;
          inflight_limit.Leave();
        }
      });
    }
  }
  EXPECT_GT(entered.load(), 0);
  EXPECT_EQ(too_many.load(), 0);
  EXPECT_EQ(inflight_limit.open(), 0);
}

}  // namespace
}  // namespace bank::rpc
