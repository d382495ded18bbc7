// Goal: what a browser, a scraper and an orchestrator get from the HTTP port, over real sockets.
#include "branch/console/console.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "tests/support/store_of_three.h"

namespace bank::console {
namespace {

using ::testing::HasSubstr;

class ConsoleTest : public ::testing::Test {
 protected:
  ConsoleTest() {
    auto started = Console::Start({.listen = "localhost:0", .tls = {}},
                                  {.view = three_.Sources(),
                                   .metrics = [] { return "bank_ready 1\n"; },
                                   .live = {{"loop", [] { return absl::OkStatus(); }}},
                                   .ready = {{"quorum", [this] { return quorum_; }}}},
                                  three_.store);
    EXPECT_TRUE(started.ok()) << started.status();
    console_ = *std::move(started);
  }

  httplib::Client Client() const { return httplib::Client("localhost", console_->port()); }

  // Reads the stream until `enough` says so of what has come.
  std::string ReadStream(const httplib::Headers& headers,
                         const std::function<bool(const std::string&)>& enough) const {
    std::string text;
    Client().Get("/api/stream", headers, [&](const char* data, size_t size) {
      text.append(data, size);
      return !enough(text);
    });
    return text;
  }

  StoreOfThree three_;
  absl::Status quorum_;
  std::unique_ptr<Console> console_;
};

TEST_F(ConsoleTest, ServesThePageFromWithinTheProgram) {
  auto client = Client();
  for (const auto& [path, part] : std::map<std::string, std::string>{{"/", "<title>Bank"},
                                                                     {"/console.js", "EventSource"},
                                                                     {"/console.css", "--ground"},
                                                                     {"/uplot.js", "uPlot"},
                                                                     {"/uplot.css", ".uplot"}}) {
    const auto answer = client.Get(path.c_str());
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->status, 200) << path;
    EXPECT_THAT(answer->body, HasSubstr(part)) << path;
    EXPECT_THAT(answer->body, testing::Not(HasSubstr("https://cdn"))) << path;
  }
  EXPECT_EQ(client.Get("/nothing")->status, 404);
}

TEST_F(ConsoleTest, ChecksAreAnsweredByName) {
  auto client = Client();
  EXPECT_EQ(client.Get("/livez")->body, "ok");
  EXPECT_EQ(client.Get("/readyz")->status, 200);
  quorum_ = absl::UnavailableError("no quorum");
  EXPECT_EQ(client.Get("/readyz")->status, 503);
  EXPECT_THAT(client.Get("/readyz?verbose")->body, HasSubstr("[-]quorum failed: no quorum"));
  EXPECT_EQ(client.Get("/readyz/quorum")->status, 503);
  EXPECT_EQ(client.Get("/readyz?exclude=quorum")->status, 200);
}

TEST_F(ConsoleTest, MetricsAreTextForPrometheus) {
  const auto answer = Client().Get("/metrics");
  EXPECT_EQ(answer->body, "bank_ready 1\n");
  EXPECT_THAT(answer->get_header_value("Content-Type"), HasSubstr("version=0.0.4"));
}

TEST_F(ConsoleTest, IsReadOnly) {
  auto client = Client();
  EXPECT_EQ(client.Post("/api/view", "{}", "application/json")->status, 403);
  EXPECT_EQ(client.Delete("/api/view")->status, 403);
}

TEST_F(ConsoleTest, AnotherSitesNameForLoopbackIsRefused) {
  auto client = Client();
  EXPECT_EQ(client.Get("/api/view", {{"Host", "evil.example"}})->status, 403);
  EXPECT_EQ(client.Get("/api/view", {{"Host", "localhost:1"}})->status, 200);
}

// The ids of the whole messages of a stream.
std::vector<int64_t> Ids(const std::string& stream) {
  std::vector<int64_t> ids;
  for (size_t at = 0, end = 0; (end = stream.find("\n\n", at)) != std::string::npos; at = end + 2) {
    ids.push_back(std::stoll(stream.substr(at + 4)));  // "id: "
  }
  return ids;
}

TEST_F(ConsoleTest, TheStreamGoesOnAndResumes) {
  const auto three = [](const std::string& all) { return Ids(all).size() >= 3; };
  const std::string text = ReadStream({}, three);
  EXPECT_THAT(text, testing::StartsWith("id: "));
  EXPECT_THAT(text, HasSubstr("event: update\ndata: {"));
  const std::string id = text.substr(4, text.find('\n') - 4);
  const std::string resumed = ReadStream({{"Last-Event-ID", id}}, three);
  EXPECT_THAT(resumed, HasSubstr("\"points\""));
  // Nothing from before the resumption comes after it.
  const std::vector<int64_t> ids = Ids(resumed);
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end())) << resumed;
  EXPECT_GE(ids.front(), Ids(text).back());
}

TEST_F(ConsoleTest, StoppingEndsOpenStreams) {
  absl::Notification open;
  std::thread reader([&] {
    ReadStream({}, [&](const std::string&) {
      if (!open.HasBeenNotified()) open.Notify();
      return false;
    });
  });
  open.WaitForNotification();
  console_->Stop();
  reader.join();
}

TEST_F(ConsoleTest, TwoDoNotShareAPort) {
  const auto second = Console::Start(
      {.listen = "localhost:" + std::to_string(console_->port()), .tls = {}},
      {.view = three_.Sources(), .metrics = {}, .live = {}, .ready = {}}, three_.store);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
}

TEST(ConsoleStart, PlaintextBeyondLoopbackIsRefused) {
  StoreOfThree three;
  const auto started = Console::Start(
      {.listen = "0.0.0.0:0", .tls = {}},
      {.view = three.Sources(), .metrics = {}, .live = {}, .ready = {}}, three.store);
  EXPECT_EQ(started.status().code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace bank::console
