// Goal: what agents send keeps its meaning, and what makes no sense is refused with the field's
// name, whatever bytes a foreign agent sends.
// Method: there and back with every field set; a table of one wrong field each.
#include "branch/telemetry/stream/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace bank::telemetry {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

v1::Agent Hello() {
  v1::Agent wire;
  wire.set_agent("py.host_1-x");
  wire.set_hostname("host");
  wire.set_incarnation(7);
  return wire;
}
AgentPtr AgentOf(uint64_t branch) {
  return std::make_shared<const Agent>(
      Agent{.name = "a", .hostname = "h", .branch = BranchId(branch), .incarnation = 7});
}
SeriesPtr SeriesOf(std::string metric) {
  return std::make_shared<const Series>(
      Series{.metric = std::move(metric), .attributes = {{"k", "v"}, {"l", "w"}}, .unit = "By"});
}

TEST(AgentWire, KeepsEveryField) {
  v1::Agent wire = Hello();
  wire.set_branch(3);
  const auto agent = FromWire(wire);
  ASSERT_TRUE(agent.ok()) << agent.status();
  EXPECT_EQ((*agent)->branch, BranchId(3));
  v1::Agent back;
  ToWire(**agent, &back);
  EXPECT_EQ(back.SerializeAsString(), wire.SerializeAsString());
}

TEST(AgentWire, EachWrongHelloNamesItsField) {
  struct Row {
    std::function<void(v1::Agent*)> spoil;
    const char* message;
  };
  const std::vector<Row> rows = {
      {[](v1::Agent* a) { a->set_agent(""); }, "hello.agent: not 1 to 64"},
      {[](v1::Agent* a) { a->set_agent(std::string(65, 'a')); }, "hello.agent: not 1 to 64"},
      {[](v1::Agent* a) { a->set_agent("a b"); }, "hello.agent: not 1 to 64"},
      {[](v1::Agent* a) { a->set_agent("a/b"); }, "hello.agent: not 1 to 64"},
      {[](v1::Agent* a) { a->set_agent("\xc3\xa4"); }, "hello.agent: not 1 to 64"},
      {[](v1::Agent* a) { a->set_incarnation(0); }, "hello.incarnation: 0"},
      {[](v1::Agent* a) { a->set_hostname("a\nb"); }, "hello.hostname: control characters"},
      {[](v1::Agent* a) { a->set_hostname(std::string(257, 'h')); },
       "hello.hostname: more than 256 bytes"},
  };
  for (const Row& row : rows) {
    v1::Agent wire = Hello();
    row.spoil(&wire);
    const auto agent = FromWire(wire);
    EXPECT_EQ(agent.status().code(), absl::StatusCode::kInvalidArgument) << row.message;
    EXPECT_THAT(std::string(agent.status().message()), HasSubstr(row.message));
  }
  v1::Agent longest = Hello();
  longest.set_agent(std::string(64, 'Z'));
  longest.set_hostname(std::string(256, 'h'));
  EXPECT_TRUE(FromWire(longest).ok());
}

TEST(StatusWire, KeepsEveryField) {
  replication::ReplicatorStatus status;
  status.role = replication::Role::kCandidate;
  status.term = Term(1);
  status.leader = BranchId(2);
  status.ready = true;
  status.commit_index = LogIndex(3);
  status.applied_index = LogIndex(4);
  status.last_index = LogIndex(5);
  status.snapshot_index = LogIndex(6);
  status.ledger.position = Position(7);
  status.ledger.state_digest = 0xfedcba9876543210;
  status.ledger.history_digest = 8;
  status.ledger.accounts = 9;
  status.ledger.sessions = 10;
  status.ledger.balance_total = -11;
  auto checkpoints = std::make_shared<std::vector<replication::Checkpoint>>();
  for (uint64_t i = 1; i <= 20; ++i) checkpoints->push_back({LogIndex(i), i * i});
  status.checkpoints = checkpoints;
  v1::BranchStatus wire;
  ToWire(status, BranchId(12), &wire);
  EXPECT_EQ(wire.branch(), 12u);
  EXPECT_EQ(wire.role(), "candidate");
  EXPECT_EQ(wire.state_digest(), "fedcba9876543210");
  EXPECT_EQ(wire.history_digest(), "0000000000000008");
  ASSERT_EQ(wire.checkpoints_size(), 8);  // the newest
  EXPECT_EQ(wire.checkpoints(7).applied_index(), 20u);
  v1::BranchStatus back;
  ToWire(FromWire(wire), BranchId(12), &back);
  EXPECT_EQ(back.SerializeAsString(), wire.SerializeAsString());
}

TEST(StatusWire, OfCheckpointsOnlySoManyAreTaken) {
  v1::BranchStatus wire;
  for (size_t i = 0; i < 2 * replication::kCheckpointsMax; ++i) wire.add_checkpoints();
  EXPECT_THAT(*FromWire(wire).checkpoints, SizeIs(replication::kCheckpointsMax));
}

TEST(EventWire, KeepsEveryFieldAndOneLine) {
  Event event;
  event.time_unix_ns = 1;
  event.agent = "a";
  event.incarnation = 2;
  event.number = 3;
  event.kind = EventKind::kCommand;
  event.text = "text";
  event.audit = AuditRecord{.id = "id",
                            .agent = "a",
                            .issuer = "who",
                            .command = "df",
                            .issued_unix_ns = 4,
                            .started_unix_ns = 5,
                            .ended_unix_ns = 6,
                            .outcome = CommandOutcome::kTimedOut,
                            .exit_status = 137,
                            .message = "m"};
  v1::Event wire;
  ToWire(event, &wire);
  v1::Event back;
  ToWire(FromWire(wire), &back);
  EXPECT_EQ(back.SerializeAsString(), wire.SerializeAsString());

  wire.set_text("two\nlines" + std::string(5000, 'x'));
  wire.mutable_audit()->set_issuer("\x1b[2J");
  const Event clean = FromWire(wire);
  EXPECT_TRUE(clean.text.starts_with("two\\x0alines"));
  EXPECT_EQ(clean.text.size(), kLineMax);
  EXPECT_EQ(clean.audit->issuer, "\\x1b[2J");
}

TEST(EventWire, WhatThisVersionDoesNotKnowIsOther) {
  v1::Event wire;
  wire.set_kind(static_cast<v1::Event::Kind>(99));
  wire.mutable_audit()->set_outcome(static_cast<v1::CommandResult::Outcome>(-1));
  EXPECT_EQ(FromWire(wire).kind, EventKind::kOther);
  EXPECT_EQ(FromWire(wire).audit->outcome, CommandOutcome::kUnknown);
}

TEST(LifeWire, AgesTravel) {
  constexpr int64_t kThere = 1'000'000'000'000, kHere = 5'000'000'000'000;
  struct Row {
    Life sent, expected;
  };
  const std::vector<Row> rows = {
      {{.heard_ns = kThere - 250 * kNsPerMs, .broken_ns = 0, .interval_ns = 500 * kNsPerMs},
       {.heard_ns = kHere - 250 * kNsPerMs, .broken_ns = 0, .interval_ns = 500 * kNsPerMs}},
      {{.heard_ns = kThere - 900 * kNsPerMs, .broken_ns = kThere - 100 * kNsPerMs},
       {.heard_ns = kHere - 900 * kNsPerMs, .broken_ns = kHere - 100 * kNsPerMs}},
      {{.heard_ns = kThere - 5 * kNsPerMs, .broken_ns = kThere - 9 * kNsPerMs},  // heard since
       {.heard_ns = kHere - 5 * kNsPerMs, .broken_ns = 0}},
      {{.heard_ns = kThere, .broken_ns = kThere + 1}, {.heard_ns = kHere, .broken_ns = kHere + 1}},
      {{}, {}},  // never heard of
  };
  for (const Row& row : rows) {
    v1::MetricUpdate::Life wire;
    ToWire(Liveness::kSuspect, row.sent, kThere, &wire);
    EXPECT_EQ(wire.state(), v1::MetricUpdate::Life::SUSPECT);
    const Life life = FromWire(wire, kHere);
    EXPECT_EQ(life.heard_ns, row.expected.heard_ns);
    EXPECT_EQ(life.broken_ns, row.expected.broken_ns);
    EXPECT_EQ(life.interval_ns, row.expected.interval_ns);
  }
}

TEST(BatchWire, SeriesAreDefinedOnceAndValuesKept) {
  SampleBatch batch;
  batch.agent = AgentOf(3);
  batch.sequence = 5;
  batch.time_unix_ns = 6;
  batch.lost_before = 2;
  batch.samples = {{SeriesOf("m"), 1.5}, {SeriesOf("n"), std::nan("")}};
  batch.status.emplace();
  batch.status->term = Term(9);
  SampleBatchEncoder encoder;
  SampleBatchDecoder decoder;
  for (const int defines : {2, 0}) {
    v1::MetricFrame wire;
    encoder.Encode(batch, &wire);
    EXPECT_EQ(wire.define_size(), defines);
    const auto back = decoder.Decode(batch.agent, wire);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ((*back)->sequence, 5u);
    EXPECT_EQ((*back)->time_unix_ns, 6);
    EXPECT_EQ((*back)->lost_before, 2u);
    EXPECT_EQ((*back)->status->term, Term(9));
    ASSERT_THAT((*back)->samples, SizeIs(2));
    EXPECT_EQ(*(*back)->samples[0].series, *batch.samples[0].series);
    EXPECT_EQ((*back)->samples[0].value, 1.5);
    EXPECT_TRUE(std::isnan((*back)->samples[1].value));
    EXPECT_EQ((*back)->defined_bytes > 0, defines > 0);
  }
}

TEST(BatchWire, AnAgentSpeaksForItselfAlone) {
  v1::MetricFrame wire;
  wire.mutable_status()->set_term(9);
  v1::Event* event = wire.add_events();
  event->set_agent("branch-1");
  event->set_incarnation(99);
  event->mutable_audit()->set_id("forged");
  const auto foreign = *SampleBatchDecoder().Decode(AgentOf(0), wire);
  EXPECT_FALSE(foreign->status.has_value());
  EXPECT_EQ(foreign->events[0].agent, "a");
  EXPECT_EQ(foreign->events[0].incarnation, 7u);
  EXPECT_FALSE(foreign->events[0].audit.has_value());
  const auto branch = *SampleBatchDecoder().Decode(AgentOf(3), wire);
  EXPECT_TRUE(branch->status.has_value());
  EXPECT_EQ(branch->events[0].agent, "a");
  EXPECT_EQ(branch->events[0].audit->id, "forged");
}

v1::MetricFrame Frame() {
  v1::MetricFrame wire;
  wire.set_sequence(4);
  v1::Series* define = wire.add_define();
  define->set_id(1);
  define->set_metric("m");
  wire.add_series(1);
  wire.add_value(1);
  return wire;
}

TEST(BatchWire, EachWrongFrameIsRefused) {
  struct Row {
    std::function<void(v1::MetricFrame*)> spoil;
    const char* message;
  };
  const std::vector<Row> rows = {
      {[](auto* f) { f->add_series(1); }, "frame 4: 2 series, but 1 values"},
      {[](auto* f) { f->set_series(0, 2); }, "frame 4: series 2 is not defined"},
      {[](auto* f) { f->set_time_unix_nanos(-1); }, "frame 4: a time before 1970"},
      {[](auto* f) {
         for (size_t i = 0; i < kSamplesMax; ++i) {
           f->add_series(1);
           f->add_value(0);
         }
       },
       "frame 4: too large"},
      {[](auto* f) {
         for (size_t i = 0; i <= kEventsMax; ++i) f->add_events();
       },
       "frame 4: too large"},
      {[](auto* f) { f->mutable_define(0)->set_metric(""); }, "define.metric: empty"},
      {[](auto* f) { f->mutable_define(0)->set_metric("a\tb"); }, "define.metric: control"},
      {[](auto* f) { f->mutable_define(0)->set_metric(std::string(257, 'm')); },
       "define.metric: more than 256 bytes"},
      {[](auto* f) { f->mutable_define(0)->set_unit(std::string(257, 'm')); }, "define.unit: more"},
      {[](auto* f) { (*f->mutable_define(0)->mutable_attributes())["a\n"] = "b"; },
       "define.attributes: control"},
      {[](auto* f) { (*f->mutable_define(0)->mutable_attributes())["a"] = std::string(257, 'v'); },
       "define.attributes: more than 256 bytes"},
      {[](auto* f) {
         for (int i = 0; i < 17; ++i) {
           (*f->mutable_define(0)->mutable_attributes())[std::to_string(i)] = "v";
         }
       },
       "define.attributes: more than 16"},
  };
  for (const Row& row : rows) {
    v1::MetricFrame wire = Frame();
    row.spoil(&wire);
    const auto batch = SampleBatchDecoder().Decode(AgentOf(0), wire);
    EXPECT_EQ(batch.status().code(), absl::StatusCode::kInvalidArgument) << row.message;
    EXPECT_THAT(std::string(batch.status().message()), HasSubstr(row.message));
  }
  EXPECT_TRUE(SampleBatchDecoder().Decode(AgentOf(0), Frame()).ok());
}

TEST(BatchWire, SeriesOfOneStreamAreBounded) {
  SampleBatchDecoder decoder;
  v1::MetricFrame many;
  for (uint32_t id = 0; id < kSeriesMax; ++id) {
    many.add_define()->set_id(id);
    many.mutable_define(static_cast<int>(id))->set_metric("m");
  }
  ASSERT_TRUE(decoder.Decode(AgentOf(0), many).ok());
  ASSERT_TRUE(decoder.Decode(AgentOf(0), many).ok()) << "the same again costs nothing";
  v1::MetricFrame more = Frame();
  more.mutable_define(0)->set_id(kSeriesMax);
  EXPECT_THAT(std::string(decoder.Decode(AgentOf(0), more).status().message()),
              HasSubstr("define: more than 20000 series"));
}

TEST(BatchWire, SeriesTextOfOneStreamIsBounded) {
  SampleBatchDecoder decoder;
  absl::Status status;
  size_t frames = 0;
  for (uint32_t id = 0; status.ok() && id < kSeriesMax; ++id, ++frames) {
    v1::MetricFrame wire = Frame();
    wire.mutable_define(0)->set_id(id);
    wire.set_series(0, id);
    for (int i = 0; i < 16; ++i) {
      (*wire.mutable_define(0)->mutable_attributes())[std::to_string(i)] = std::string(256, 'v');
    }
    status = decoder.Decode(AgentOf(0), wire).status();
  }
  EXPECT_THAT(std::string(status.message()), HasSubstr("bytes of names and attributes"));
  EXPECT_LT(frames, kSeriesBytesMax / (16 * 256) + 2);
}

}  // namespace
}  // namespace bank::telemetry
