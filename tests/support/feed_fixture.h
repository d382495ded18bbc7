// A feed on a clock that the test moves, and agents to fill it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "branch/telemetry/feed.h"

namespace bank::telemetry {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1'000'000'000;

class TestClock final : public Clock {
 public:
  int64_t NowNs() const override { return now_ns; }
  int64_t now_ns = 1000 * kSecond;
};

class FeedTest : public ::testing::Test {
 protected:
  using Start = Feed::Start;
  using Portion = Feed::Portion;

  void Make(FeedOptions options) { feed_ = std::make_unique<Feed>(options, clock_); }
  void Advance(int64_t ns) { clock_.now_ns += ns; }

  static AgentPtr MakeAgent(const std::string& name, uint64_t branch = 0,
                            uint64_t incarnation = 1) {
    return std::make_shared<const Agent>(Agent{
        .name = name, .hostname = "h", .branch = BranchId(branch), .incarnation = incarnation});
  }
  // With `readings` readings, dated `sequence` seconds after the epoch.
  static FramePtr MakeFrame(AgentPtr agent, uint64_t sequence, size_t readings = 2) {
    static const auto series =
        std::make_shared<const Series>(Series{"system.cpu.utilization", {}, "1"});
    Frame frame;
    frame.agent = std::move(agent);
    frame.sequence = sequence;
    frame.time_unix_ns = static_cast<int64_t>(sequence) * kSecond;
    frame.readings.assign(readings, {series, 0.5});
    return std::make_shared<const Frame>(std::move(frame));
  }
  void Add(const AgentPtr& agent, uint64_t first, uint64_t last) {
    for (uint64_t sequence = first; sequence <= last; ++sequence) {
      feed_->AddFrame(MakeFrame(agent, sequence));
    }
  }
  static Event MakeEvent(const std::string& agent, uint64_t number, int64_t time_s = 0) {
    Event event;
    event.time_unix_ns = (time_s != 0 ? time_s : static_cast<int64_t>(number)) * kSecond;
    event.agent = agent;
    event.incarnation = 1;
    event.number = number;
    event.text = agent + "#" + std::to_string(number);
    return event;
  }

  std::unique_ptr<Feed::Subscription> Subscribe(Start start) {
    return feed_->Subscribe(std::move(start), [this] { ++wakes_; });
  }
  // "a1 a2 b1": the agents' names and sequences, in order.
  static std::string Text(const std::vector<FramePtr>& frames) {
    std::string text;
    for (const FramePtr& frame : frames) {
      text += (text.empty() ? "" : " ") + frame->agent->name + std::to_string(frame->sequence);
    }
    return text;
  }
  static std::string Text(const std::vector<FeedGap>& gaps) {
    std::string text;
    for (const FeedGap& gap : gaps) {
      text += (text.empty() ? "" : " ") + gap.agent + "/" + std::to_string(gap.incarnation) + ":" +
              std::to_string(gap.first_sequence) + "-" + std::to_string(gap.last_sequence) + " " +
              std::string(gap.reason);
    }
    return text;
  }
  static std::string Text(const std::vector<Event>& events) {
    std::string text;
    for (const Event& event : events) text += (text.empty() ? "" : " ") + event.text;
    return text;
  }
  Liveness LivenessOf(const std::string& name) const {
    for (const AgentView& view : feed_->Agents()) {
      if (view.agent->name == name) return view.liveness;
    }
    ADD_FAILURE() << name << " is not there";
    return Liveness::kDead;
  }

  TestClock clock_;
  std::unique_ptr<Feed> feed_ = std::make_unique<Feed>(FeedOptions{}, clock_);
  int wakes_ = 0;
  const AgentPtr a_ = MakeAgent("a", 1);
  const AgentPtr b_ = MakeAgent("b", 2);
};

}  // namespace bank::telemetry
