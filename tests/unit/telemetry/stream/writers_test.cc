// Goal: what streams of metrics carry is what the metric store gave, no more and no less, and a
// foreign agent cannot push the bank's own events out.
// Method: chunks as a store gives them, and the messages made of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "branch/telemetry/stream/event_limit.h"
#include "branch/telemetry/stream/push_writer.h"
#include "branch/telemetry/stream/redial_pause.h"
#include "branch/telemetry/stream/update_writer.h"

namespace bank::telemetry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kS = kNsPerS;

AgentPtr AgentOf(std::string name, uint64_t incarnation = 7, std::string hostname = "h") {
  const bool of_branch = name == "branch-3";
  return std::make_shared<const Agent>(Agent{.name = std::move(name),
                                             .hostname = std::move(hostname),
                                             .branch = BranchId(of_branch ? 3 : 0),
                                             .incarnation = incarnation});
}
const AgentPtr kSelf = AgentOf("branch-3");

SampleBatchPtr BatchOf(AgentPtr agent, uint64_t sequence, int64_t time_unix_ns,
                       std::vector<std::string> metrics = {"cpu"}) {
  auto batch = std::make_shared<SampleBatch>();
  batch->agent = std::move(agent);
  batch->sequence = sequence;
  batch->time_unix_ns = time_unix_ns;
  for (const std::string& metric : metrics) {
    batch->samples.push_back({std::make_shared<const Series>(Series{
                                  .metric = metric, .attributes = {{"mode", "idle"}}, .unit = "%"}),
                              static_cast<double>(sequence)});
  }
  return batch;
}

Event EventOf(uint64_t incarnation, uint64_t number) {
  Event event;
  event.agent = "branch-3";
  event.incarnation = incarnation;
  event.number = number;
  return event;
}

PushWriter Writer() {
  return PushWriter(kSelf, kS / 2, [] {
    replication::ReplicatorStatus status;
    status.term = Term(4);
    return status;
  });
}

TEST(PushWriter, HeartbeatsComeAtTheirTime) {
  PushWriter writer = Writer();
  v1::MetricPush message;
  EXPECT_TRUE(writer.Write({}, 0, &message));
  ASSERT_EQ(message.frames_size(), 1);
  EXPECT_EQ(message.frames(0).sequence(), 0u);
  EXPECT_EQ(message.frames(0).status().term(), 4u);
  EXPECT_EQ(message.frames(0).status().branch(), 3u);
  EXPECT_FALSE(writer.Write({}, kS / 2 - 1, &message));
  EXPECT_TRUE(message.frames().empty());
  EXPECT_TRUE(writer.Write({}, kS / 2, &message));
}

TEST(PushWriter, EventsOfThisRunRideOnAHeartbeat) {
  PushWriter writer = Writer();
  v1::MetricPush message;
  writer.Write({}, 0, &message);
  MetricStore::Chunk chunk;
  chunk.events = {EventOf(6, 1), EventOf(7, 2), EventOf(7, 3)};
  EXPECT_TRUE(writer.Write(chunk, 1, &message));
  ASSERT_EQ(message.frames_size(), 1);
  ASSERT_EQ(message.frames(0).events_size(), 2);
  EXPECT_EQ(message.frames(0).events(0).number(), 2u);
  EXPECT_EQ(message.frames(0).events(1).number(), 3u);
  EXPECT_FALSE(writer.Write({}, 1 + kS / 2 - 1, &message)) << "it was a heartbeat too";
}

TEST(PushWriter, WhatIsNoLongerHeldIsToldInTheBatchAfterIt) {
  PushWriter writer = Writer();
  v1::MetricPush message;
  writer.Write({}, 0, &message);
  MetricStore::Chunk chunk;
  chunk.batches = {BatchOf(kSelf, 10, 100), BatchOf(kSelf, 15, 200), BatchOf(kSelf, 16, 300)};
  const auto gap = [](uint64_t incarnation, uint64_t first, uint64_t last, int64_t until) {
    return StoreGap{.agent = "branch-3",
                    .incarnation = incarnation,
                    .first_sequence = first,
                    .last_sequence = last,
                    .until_unix_ns = until,
                    .reason = "too_old"};
  };
  chunk.gaps = {gap(7, 4, 9, 100), gap(7, 11, 12, 200), gap(7, 13, 14, 200), gap(6, 1, 3, 300),
                gap(7, 5, 0, 300)};
  EXPECT_TRUE(writer.Write(chunk, 1, &message));
  ASSERT_EQ(message.frames_size(), 3);
  EXPECT_EQ(message.frames(0).lost_before(), 6u);
  EXPECT_EQ(message.frames(1).lost_before(), 4u);
  EXPECT_EQ(message.frames(2).lost_before(), 0u) << "of another run, or of nobody knows how many";
  EXPECT_EQ(message.frames(0).define_size(), 1);
}

TEST(UpdateWriter, SamplesOfWantedAgentsAndMetrics) {
  v1::StreamMetricsRequest request;
  request.add_agent("branch-*");
  request.add_metric("cpu");
  request.add_metric("disk.*");
  UpdateWriter writer(request);
  MetricStore::Chunk chunk;
  chunk.missed = 2;
  chunk.batches = {BatchOf(kSelf, 1, 100, {"cpu", "cpu.more", "disk.read"}),
                   BatchOf(AgentOf("meter"), 1, 100)};
  chunk.gaps = {{.agent = "branch-3", .reason = "lost"}, {.agent = "meter", .reason = "lost"}};
  EXPECT_EQ(writer.Count(*chunk.batches[0]), 2u);
  EXPECT_EQ(writer.Count(*chunk.batches[1]), 0u);
  v1::MetricUpdate update;
  writer.Add(chunk, &update);
  writer.Add(chunk, &update);
  EXPECT_EQ(update.missed_samples(), 4u);
  ASSERT_EQ(update.samples_size(), 4);
  EXPECT_EQ(update.samples(0).metric(), "cpu");
  EXPECT_EQ(update.samples(1).metric(), "disk.read");
  EXPECT_EQ(update.samples(0).time_unix_nanos(), 100);
  EXPECT_EQ(update.samples(0).hostname(), "h");
  EXPECT_EQ(update.samples(0).value(), 1.0);
  EXPECT_EQ(update.samples(0).sequence(), 1u);
  EXPECT_EQ(update.samples(0).attributes().at("mode"), "idle");
  EXPECT_EQ(update.samples(0).unit(), "%");
  EXPECT_EQ(update.samples(0).branch(), 3u);
  EXPECT_EQ(update.samples(0).agent(), "branch-3");
  EXPECT_EQ(update.samples(0).incarnation(), 7u);
  ASSERT_EQ(update.gaps_size(), 2);
  EXPECT_EQ(update.gaps(0).agent(), "branch-3");
  EXPECT_TRUE(update.frames().empty());
}

TEST(UpdateWriter, FramesHoldTheWantedSeriesAndNoEvents) {
  v1::StreamMetricsRequest request;
  request.set_frames(true);
  request.add_metric("disk.*");
  UpdateWriter writer(request);
  auto batch = std::make_shared<SampleBatch>(*BatchOf(kSelf, 5, 100, {"cpu", "disk.read"}));
  batch->events = {EventOf(7, 1)};
  MetricStore::Chunk chunk;
  chunk.batches = {batch};
  chunk.events = {EventOf(7, 2)};
  chunk.audits.emplace_back().id = "x";
  v1::MetricUpdate update;
  writer.Add(chunk, &update);
  ASSERT_EQ(update.frames_size(), 1);
  EXPECT_EQ(update.frames(0).agent().agent(), "branch-3");
  EXPECT_EQ(update.frames(0).frame().value_size(), 1);
  EXPECT_EQ(update.frames(0).frame().define(0).metric(), "disk.read");
  EXPECT_TRUE(update.frames(0).frame().events().empty());
  ASSERT_EQ(update.events_size(), 1);
  EXPECT_EQ(update.events(0).number(), 2u);
  ASSERT_EQ(update.audits_size(), 1);
  EXPECT_EQ(update.audits(0).id(), "x");
  EXPECT_TRUE(update.samples().empty());
}

TEST(UpdateWriter, LivesOfWantedAgents) {
  v1::StreamMetricsRequest request;
  request.add_branch(3);
  UpdateWriter writer(request);
  AgentView branch;
  branch.agent = kSelf;
  branch.liveness = Liveness::kLive;
  branch.life.heard_ns = kS;
  branch.status.emplace().term = Term(8);
  AgentView meter;
  meter.agent = AgentOf("meter");
  v1::MetricUpdate update;
  writer.AddLives({branch, meter}, 3 * kS, &update);
  ASSERT_EQ(update.frames_size(), 1);
  EXPECT_EQ(update.frames(0).life().state(), v1::MetricUpdate::Life::LIVE);
  EXPECT_EQ(update.frames(0).life().silent_ms(), 2000u);
  EXPECT_EQ(update.frames(0).frame().status().term(), 8u);
}

TEST(SampleFilter, AnEmptyListWantsAllAndAStarTheRest) {
  EXPECT_TRUE(Matches("cpu", "cpu"));
  EXPECT_FALSE(Matches("cpu", "cpu.more"));
  EXPECT_FALSE(Matches("cpu.more", "cpu"));
  EXPECT_TRUE(Matches("cpu*", "cpu"));
  EXPECT_TRUE(Matches("*", ""));
  EXPECT_FALSE(Matches("a*c", "abc"));  // only at the end
  v1::StreamMetricsRequest request;
  request.add_hostname("h1");
  const SampleFilter filter(request);
  EXPECT_TRUE(filter.Wants(*AgentOf("x", 1, "h1")));
  EXPECT_FALSE(filter.Wants(*AgentOf("x", 1, "h2")));
}

v1::MetricFrame Events(int count) {
  v1::MetricFrame batch;
  for (int i = 0; i < count; ++i) {
    v1::Event* event = batch.add_events();
    event->set_number(static_cast<uint64_t>(i));
    event->set_kind(v1::Event::ELECTION);
    event->set_time_unix_nanos(i == 0 ? -5 : 1'000'000);
  }
  return batch;
}

TEST(EventLimit, SomeAtOnceThenOneASecond) {
  EventLimit limit;
  struct Row {
    int64_t now_ns;
    int sent, taken;
  };
  // Of two seconds after fifty at once, two come through; after a long silence fifty again.
  for (const Row& row : std::vector<Row>{{kS, 60, 50},
                                         {kS, 1, 0},
                                         {2 * kS - 1, 1, 0},
                                         {3 * kS, 5, 2},
                                         {3 * kS, 5, 0},
                                         {500 * kS, 49, 49},
                                         {500 * kS, 5, 1}}) {
    v1::MetricFrame batch = Events(row.sent);
    limit.Apply(&batch, row.now_ns, 77);
    ASSERT_EQ(batch.events_size(), row.taken) << row.now_ns;
    for (int i = 0; i < row.taken; ++i) {
      EXPECT_EQ(batch.events(i).number(), static_cast<uint64_t>(i)) << "the first ones stay";
      EXPECT_EQ(batch.events(i).kind(), v1::Event::OTHER);
      EXPECT_EQ(batch.events(i).time_unix_nanos(), i == 0 ? 0 : 77) << "none from the future";
    }
  }
}

TEST(RedialPause, AsLongAsTheEndOfTheStreamSays) {
  using grpc::StatusCode;
  struct Row {
    StatusCode end;
    int64_t lasted_ns, pause_ns;
  };
  RedialPause pause;
  for (const Row& row : std::vector<Row>{{StatusCode::OK, 0, kS / 2},
                                         {StatusCode::INTERNAL, 0, kS},
                                         {StatusCode::UNAVAILABLE, 0, kS / 4},
                                         {StatusCode::OK, 0, kS / 2},
                                         {StatusCode::UNIMPLEMENTED, 0, 30 * kS},
                                         {StatusCode::OK, 30 * kS, 30 * kS},
                                         {StatusCode::OK, 30 * kS + 1, kS / 4}}) {
    EXPECT_EQ(pause.After(row.end, row.lasted_ns), row.pause_ns) << row.end;
  }
}

}  // namespace
}  // namespace bank::telemetry
