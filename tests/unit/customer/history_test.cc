// Goal: a history says what happened, in order, whoever writes it. Method: recorded lines are read
// back as text and as JSON; several threads record at once; parts are merged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include <vector>

#include "customer/history/event.h"
#include "customer/history/merge.h"
#include "customer/history/recorder.h"
#include "tests/support/temp_folder.h"

namespace bank::history {
namespace {

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Every reading is one later than the one before.
class CountingClock final : public Clock {
 public:
  int64_t NowNs() const override { return ++now_; }

 private:
  mutable std::atomic<int64_t> now_ = 100;
};

TEST(Event, LinesAreAsDocumented) {
  const Identity identity{
      .process = 1, .id = 1, .session = SessionId(18446744073709551615u), .sequence = 1};
  const Operation deposit{.op = Op::kDeposit, .amount = 170};
  std::string out;
  AppendHeader({.initial = {{"shared", 400}, {"b\"", -1}}, .processes = 3}, &out);
  AppendInvocation(identity, deposit, BranchId(2), 123, &out);
  AppendCompletion(identity, deposit,
                   {.ending = Ending::kOk, .result = "ok", .balance = 570, .index = Position(7)},
                   BranchId(2), 456, &out);
  AppendCompletion(identity, {.op = Op::kTransfer, .account = "a\n\\", .to = "b", .amount = 3},
                   {.ending = Ending::kInfo, .reason = "no answer"}, BranchId(), 9, &out);
  AppendInvocation({}, {.freshness = Freshness::kAtLeast, .minimum = Position(4)}, BranchId(1), 10,
                   &out);
  AppendCompletion(
      {}, {.freshness = Freshness::kLocal},
      {.ending = Ending::kOk, .result = "ok", .balance = 1, .index = Position(4), .replayed = true},
      BranchId(1), 11, &out);
  EXPECT_EQ(out,
            R"({"type":"header","version":1,"initial":{"b\"":-1,"shared":400},"processes":3}
{"type":"invoke","process":1,"id":1,"session":18446744073709551615,"sequence":1,"op":"deposit","account":"shared","amount":170,"branch":2,"ns":123}
{"type":"ok","process":1,"id":1,"session":18446744073709551615,"sequence":1,"op":"deposit","account":"shared","amount":170,"result":"ok","balance":570,"index":7,"branch":2,"ns":456}
{"type":"info","process":1,"id":1,"session":18446744073709551615,"sequence":1,"op":"transfer","account":"a\u000a\\","to":"b","amount":3,"reason":"no answer","branch":0,"ns":9}
{"type":"invoke","process":1,"id":0,"session":0,"sequence":0,"op":"query","account":"shared","amount":0,"consistency":"at_least","minimum":4,"branch":1,"ns":10}
{"type":"ok","process":1,"id":0,"session":0,"sequence":0,"op":"query","account":"shared","amount":0,"consistency":"local","result":"ok","balance":1,"index":4,"replayed":true,"branch":1,"ns":11}
)");
}

TEST(Recorder, SeveralThreadsGiveWholeLinesInOrder) {
  const TempFolder folder;
  const std::string path = folder.Of("threads");
  CountingClock clock;
  constexpr int kThreads = 4;
  constexpr int kOperations = 2000;
  {
    auto recorder = Recorder::Open(*FindOutput(path, {}), {.processes = kThreads}, clock);
    ASSERT_TRUE(recorder.ok());
    std::vector<std::jthread> threads;
    for (uint64_t process = 1; process <= kThreads; ++process) {
      threads.emplace_back([&, process] {
        for (uint64_t id = 1; id <= kOperations; ++id) {
          (*recorder)->Invoke({.process = process, .id = id}, {}, BranchId(1));
          (*recorder)->Complete({.process = process, .id = id}, {}, {.ending = Ending::kFail},
                                BranchId(1));
        }
      });
    }
    threads.clear();
    EXPECT_TRUE((*recorder)->Close().ok());
  }
  std::istringstream lines(Read(path));
  std::string line;
  int64_t last = 0;
  int count = -1;  // the header
  while (std::getline(lines, line)) {
    const auto event = nlohmann::json::parse(line);
    if (++count == 0) continue;
    EXPECT_GT(event.at("ns").get<int64_t>(), last);
    last = event.at("ns").get<int64_t>();
  }
  EXPECT_EQ(count, 2 * kThreads * kOperations);
}

TEST(Recorder, ErrorsAreTold) {
  SteadyClock clock;
  EXPECT_THAT(std::string(FindOutput("/nowhere/history", {}).status().message()),
              ::testing::StartsWith("/nowhere/history: "));
  EXPECT_THAT(
      std::string(Recorder::Open(*FindOutput("/dev/full", {}), {}, clock).status().message()),
      ::testing::HasSubstr("No space left on device"));
}

// A file that may not grow takes part of a write, without an error; the rest is told as lost.
TEST(Recorder, AShortWriteIsNotAWholeOne) {
  const TempFolder folder;
  const std::string path = folder.Of("short");
  CountingClock clock;
  auto recorder = Recorder::Open(*FindOutput(path, {}), {}, clock);
  ASSERT_TRUE(recorder.ok());
  for (uint64_t id = 1; id <= 100; ++id) (*recorder)->Invoke({.id = id}, {}, BranchId(1));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit low{1000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &low), 0);
  const absl::Status closed = (*recorder)->Close();
  EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(closed.ok());
  EXPECT_EQ(Read(path).size(), 1000u);
}

TEST(Merge, OrdersByStampAndDropsATornLine) {
  const TempFolder folder;
  const std::string a = folder.Of("a"), b = folder.Of("b"), out = folder.Of("out");
  std::ofstream(a) << "header\n{\"x\":1,\"ns\":5}\n{\"x\":2,\"ns\":9}\n";
  std::ofstream(b) << "header\n{\"x\":3,\"ns\":5}\n{\"x\":4,\"ns\":7}\n{\"x\":5,\"n";
  ASSERT_TRUE(Merge({.processes = 2}, {a, b}, *FindOutput(out, {})).ok());
  EXPECT_EQ(Read(out),
            "{\"type\":\"header\",\"version\":1,\"initial\":{},\"processes\":2}\n"
            "{\"x\":1,\"ns\":5}\n{\"x\":3,\"ns\":5}\n{\"x\":4,\"ns\":7}\n{\"x\":2,\"ns\":9}\n");
  std::ofstream(b) << "header\n{\"x\":3,\"ns\":5}\nnonsense\n{\"x\":4,\"ns\":7}\n";
  EXPECT_EQ(Merge({}, {a, b}, *FindOutput(out, {})).code(), absl::StatusCode::kInvalidArgument);
  std::ofstream(b) << "header\nnonsense\n";
  EXPECT_EQ(Merge({}, {a, b}, *FindOutput(out, {})).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Merge({}, {a + "-missing"}, *FindOutput(out, {})).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace bank::history
