// Goal: the bound holds, nobody enters a closed gate, and closing waits for those inside.
#include "branch/rpc/gate.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace bank::rpc {
namespace {

using Entry = Gate::Entry;

TEST(Gate, BoundsWhatIsInFlight) {
  Gate gate(10);
  EXPECT_EQ(gate.Enter(9), Entry::kEntered);
  EXPECT_EQ(gate.Enter(2), Entry::kBusy);
  EXPECT_EQ(gate.Enter(1), Entry::kEntered);
  EXPECT_EQ(gate.Enter(), Entry::kBusy);
  gate.Leave(9);
  EXPECT_EQ(gate.Enter(), Entry::kEntered);
  EXPECT_EQ(gate.open(), 2);
}

TEST(Gate, LetsOneLargeBatchInWhenEmpty) {
  Gate gate(10);
  EXPECT_EQ(gate.Enter(1000), Entry::kEntered);
  EXPECT_EQ(gate.Enter(), Entry::kBusy);
}

TEST(Gate, MayBeMadeClosed) {
  Gate gate(10, Gate::Door::kClosed);
  EXPECT_EQ(gate.Enter(), Entry::kClosed);
  gate.Open();
  EXPECT_EQ(gate.Enter(), Entry::kEntered);
}

TEST(Gate, ClosesForGoodAndWaits) {
  Gate gate(10);
  ASSERT_EQ(gate.Enter(), Entry::kEntered);
  gate.Close();
  EXPECT_EQ(gate.Enter(), Entry::kClosed);
  EXPECT_FALSE(gate.AwaitEmpty(std::chrono::milliseconds(1)));
  std::jthread leaver([&] { gate.Leave(); });
  EXPECT_TRUE(gate.AwaitEmpty(std::chrono::seconds(10)));
  EXPECT_EQ(gate.Enter(), Entry::kClosed);
}

TEST(Gate, ManyThreads) {
  Gate gate(3);
  std::atomic<int> entered{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 10'000; ++i) {
          if (gate.Enter() != Entry::kEntered) continue;
          ++entered;
          gate.Leave();
        }
      });
    }
  }
  EXPECT_GT(entered.load(), 0);
  EXPECT_EQ(gate.open(), 0);
}

}  // namespace
}  // namespace bank::rpc
