// Goal: the page is told what the metric store holds: whole numbers stay whole, nothing is invented
// where nothing is known, and a page that comes back gets what it missed.
#include "branch/console/view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/store_of_three.h"

namespace bank::console {
namespace {

using nlohmann::json;

constexpr int64_t kNowMs = 1'700'000'000'000;

TEST(View, TellsOfEveryMember) {
  StoreOfThree three;
  for (size_t branch = 1; branch <= 2; ++branch) {
    three.Add(branch, 1, kNowMs,
              {StoreOfThree::Sample("bank.operations.rate", 30, {{"kind", "read"}}),
               StoreOfThree::Sample("bank.operations.rate", 12, {{"kind", "write"}}),
               StoreOfThree::Sample("system.cpu.utilization", 50),
               StoreOfThree::Sample("system.cpu.utilization", 99, {{"cpu", "0"}}),
               StoreOfThree::Sample("system.network.io", 5,
                                    {{"device", "eth0"}, {"direction", "receive"}}),
               StoreOfThree::Sample("system.network.io", 7,
                                    {{"device", "lo"}, {"direction", "receive"}})});
  }
  View view(three.Sources(), three.store);
  const json message = json::parse(view.Compose(kNowMs, 0));

  ASSERT_EQ(message["branches"].size(), 3u);
  const json& first = message["branches"][0];
  EXPECT_EQ(first["liveness"], "live");
  EXPECT_EQ(first["host"], "host-1");
  EXPECT_EQ(first["leads"], false);
  EXPECT_EQ(first["ops"], 42);
  EXPECT_EQ(first["ops_write"], 12);
  EXPECT_FALSE(first.contains("p99")) << "nobody measured it";
  EXPECT_EQ(message["branches"][1]["leads"], true);
  EXPECT_EQ(message["branches"][2]["liveness"], "dead") << "never heard of";
  EXPECT_FALSE(message["branches"][2].contains("role"));

  EXPECT_EQ(message["money"]["state"], "partial");
  EXPECT_EQ(message["money"]["total"], "9007199254740993");
  EXPECT_EQ(message["balances"], json::parse(R"([["shared","400"]])"));

  ASSERT_EQ(message["points"].size(), 2u);
  const json& values = message["points"][0]["v"];
  EXPECT_EQ(values["cpu"], 50) << "the whole machine, not one core beside it";
  EXPECT_EQ(values["ni"], 5) << "what a host says to itself is no traffic";
}

TEST(View, SaysWhoDiffers) {
  StoreOfThree three;
  three.Add(1, 1, kNowMs, {}, 1);
  three.Add(2, 1, kNowMs, {}, 2);
  View view(three.Sources(), three.store);
  EXPECT_EQ(json::parse(view.Compose(kNowMs, 0))["money"]["state"], "broken");
}

TEST(View, APageThatComesBackGetsWhatItMissed) {
  StoreOfThree three;
  for (uint64_t second = 0; second < 60; ++second) {
    three.Add(1, second + 1, kNowMs + static_cast<int64_t>(second) * 1000,
              {StoreOfThree::Sample("bank.raft.lag", 1)});
  }
  View view(three.Sources(), three.store);
  const int64_t end_ms = kNowMs + 59'000;
  EXPECT_EQ(json::parse(view.Compose(end_ms, 0))["points"].size(), 60u);
  const json resumed = json::parse(view.Compose(end_ms, end_ms - 10'000));
  EXPECT_GE(resumed["points"].size(), 11u);
  EXPECT_LE(resumed["points"].size(), 20u) << "not everything again";
}

TEST(View, WhatIsLearnedLateIsNewsAllTheSame) {
  StoreOfThree three;
  three.Add(1, 1, kNowMs, {});
  View view(three.Sources(), three.store);
  const auto news = [&] { return json::parse(view.ComposeNews(kNowMs))["points"]; };
  EXPECT_EQ(news().size(), 1u) << "the newest to begin with";
  EXPECT_EQ(news().size(), 0u);
  // The branch was away, and is told of the last minute by the master.
  for (uint64_t second = 60; second > 0; --second) {
    three.Add(2, 61 - second, kNowMs - static_cast<int64_t>(second) * 1000, {});
  }
  const json late = news();
  ASSERT_EQ(late.size(), 60u);
  EXPECT_EQ(late[0]["b"], 2);
  EXPECT_EQ(late[0]["t"], kNowMs - 60'000);
  three.Add(2, 61, kNowMs - View::kHistoryMs - 1, {});
  EXPECT_EQ(news().size(), 0u) << "no chart goes back that far";
  three.Add(1, 2, kNowMs, {});
  view.PassOver();
  EXPECT_EQ(news().size(), 0u) << "nobody looked then: a page that opens is told by Compose()";
}

}  // namespace
}  // namespace bank::console
