// Goal: the newest N by key, each once, readable by arrival. Method: small tables.
#include "branch/telemetry/bounded_history.h"

#include <gtest/gtest.h>

#include <vector>

namespace bank::telemetry {
namespace {

TEST(BoundedHistory, SortsDropsRepeatsAndForgetsTheOldest) {
  BoundedHistory<int, int> kept(3);
  for (const int key : {5, 1, 5, 9}) kept.Add(key, key * 10);
  EXPECT_EQ(kept.Newest(9), (std::vector<int>{10, 50, 90}));
  EXPECT_FALSE(kept.Add(0, 0));
  EXPECT_TRUE(kept.Add(7, 70));
  EXPECT_EQ(kept.Newest(9), (std::vector<int>{50, 70, 90}));
  EXPECT_EQ(kept.Newest(1), (std::vector<int>{90}));
  EXPECT_EQ(kept.Newest(0), (std::vector<int>{}));
}

TEST(BoundedHistory, GivesByArrivalInPortions) {
  BoundedHistory<int, int> kept(10);
  for (const int key : {5, 1, 9, 3}) kept.Add(key, key);
  uint64_t arrival = 0;
  std::vector<int> out;
  kept.TakeAfter(&arrival, 3, &out);
  EXPECT_EQ(out, (std::vector<int>{5, 1, 9}));
  EXPECT_NE(arrival, kept.last_arrival());
  kept.Erase(3);
  out.clear();
  kept.TakeAfter(&arrival, 3, &out);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(arrival, kept.last_arrival());
}

TEST(BoundedHistory, OfNoneKeepsNone) {
  BoundedHistory<int, int> kept(0);
  EXPECT_FALSE(kept.Add(1, 1));
  EXPECT_TRUE(kept.Newest(9).empty());
}

}  // namespace
}  // namespace bank::telemetry
