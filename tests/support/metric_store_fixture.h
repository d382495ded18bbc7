// A metric store on a clock that the test moves, and agents to fill it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "branch/telemetry/metric_store.h"
#include "tests/support/test_clock.h"

namespace bank::telemetry {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1'000'000'000;

class MetricStoreTest : public ::testing::Test {
 protected:
  using Start = MetricStore::Start;
  using Chunk = MetricStore::Chunk;

  void Make(MetricStoreOptions options) { store_ = std::make_unique<MetricStore>(options, clock_); }
  void Advance(int64_t ns) { clock_.now_ns += ns; }

  static AgentPtr MakeAgent(const std::string& name, uint64_t branch = 0,
                            uint64_t incarnation = 1) {
    return std::make_shared<const Agent>(Agent{
        .name = name, .hostname = "h", .branch = BranchId(branch), .incarnation = incarnation});
  }
  // With `samples` samples, dated `sequence` seconds after the epoch.
  static SampleBatchPtr MakeBatch(AgentPtr agent, uint64_t sequence, size_t samples = 2) {
    static const auto series =
        std::make_shared<const Series>(Series{"system.cpu.utilization", {}, "1"});
    SampleBatch batch;
    batch.agent = std::move(agent);
    batch.sequence = sequence;
    batch.time_unix_ns = static_cast<int64_t>(sequence) * kSecond;
    batch.samples.assign(samples, {series, 0.5});
    return std::make_shared<const SampleBatch>(std::move(batch));
  }
  void Add(const AgentPtr& agent, uint64_t first, uint64_t last) {
    for (uint64_t sequence = first; sequence <= last; ++sequence) {
      store_->AddBatch(MakeBatch(agent, sequence));
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

  std::unique_ptr<MetricStore::Subscription> Subscribe(Start start) {
    return store_->Subscribe(std::move(start), [this] { ++wakes_; });
  }
  // "a1 a2 b1": the agents' names and sequences, in order.
  static std::string Text(const std::vector<SampleBatchPtr>& batches) {
    std::string text;
    for (const SampleBatchPtr& batch : batches) {
      text += (text.empty() ? "" : " ") + batch->agent->name + std::to_string(batch->sequence);
    }
    return text;
  }
  static std::string Text(const std::vector<StoreGap>& gaps) {
    std::string text;
    for (const StoreGap& gap : gaps) {
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
    for (const AgentView& view : store_->Agents()) {
      if (view.agent->name == name) return view.liveness;
    }
    ADD_FAILURE() << name << " is not there";
    return Liveness::kDead;
  }

  TestClock clock_;
  std::unique_ptr<MetricStore> store_ = std::make_unique<MetricStore>(MetricStoreOptions{}, clock_);
  int wakes_ = 0;
  const AgentPtr a_ = MakeAgent("a", 1);
  const AgentPtr b_ = MakeAgent("b", 2);
};

}  // namespace bank::telemetry
