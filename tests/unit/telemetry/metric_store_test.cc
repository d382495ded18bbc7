// Goal: each reader gets every batch of every agent once and in order, or a gap that names what it
// will not get; nothing grows without bound; a reader that waits is woken.
// Method: batches are added by hand, on a clock that the test moves.
#include "branch/telemetry/metric_store.h"

#include "branch/telemetry/journal.h"
#include "tests/support/metric_store_fixture.h"

namespace bank::telemetry {
namespace {

TEST_F(MetricStoreTest, TakesEachFrameOnce) {
  Add(a_, 1, 3);
  Add(a_, 2, 4);
  EXPECT_EQ(Text(store_->History("a", 0)), "a1 a2 a3 a4");
  EXPECT_EQ(store_->LastOf("a"), (StorePosition{1, 4}));
  EXPECT_EQ(store_->LastOf("nobody"), (StorePosition{0, 0}));
}

TEST_F(MetricStoreTest, DropsWhatIsOfAnEarlierIncarnation) {
  Add(MakeAgent("a", 1, 2), 1, 2);
  Add(a_, 3, 9);
  EXPECT_EQ(store_->LastOf("a"), (StorePosition{2, 2}));
  EXPECT_FALSE(store_->NoteAlive(a_));
}

TEST_F(MetricStoreTest, SignOfLifeIsNoFrame) {
  store_->AddBatch(MakeBatch(a_, 0, 0));
  EXPECT_EQ(store_->History("a", 0).size(), 0u);
  EXPECT_EQ(LivenessOf("a"), Liveness::kLive);
  EXPECT_TRUE(store_->Positions().empty());
}

TEST_F(MetricStoreTest, HistoryBeginsWhereAsked) {
  Add(a_, 1, 5);
  EXPECT_EQ(Text(store_->History("a", 4 * kSecond)), "a4 a5");
}

TEST_F(MetricStoreTest, ReaderWithoutSinceBeginsAtTheNewest) {
  Add(a_, 1, 3);
  Add(b_, 1, 2);
  const auto reader = Subscribe({});
  Chunk chunk = reader->Take(10);
  EXPECT_EQ(Text(chunk.batches), "a3 b2");
  EXPECT_EQ(Text(chunk.gaps), "");
  Add(a_, 4, 4);
  EXPECT_EQ(Text(reader->Take(10).batches), "a4");
}

TEST_F(MetricStoreTest, ReaderWithSinceGetsThePastInOrderOfArrival) {
  Add(a_, 1, 2);
  Add(b_, 1, 3);
  Add(a_, 3, 4);
  const auto reader = Subscribe({.since_unix_ns = 2 * kSecond});
  EXPECT_EQ(Text(reader->Take(3).batches), "a2 b2 b3");
  EXPECT_EQ(Text(reader->Take(3).batches), "a3 a4");
  EXPECT_TRUE(reader->Take(3).empty());
}

TEST_F(MetricStoreTest, SinceLaterThanAllGivesOnlyWhatComes) {
  Add(a_, 1, 2);
  const auto reader = Subscribe({.since_unix_ns = 9 * kSecond});
  EXPECT_TRUE(reader->Take(3).empty());
  Add(a_, 3, 3);
  EXPECT_EQ(Text(reader->Take(3).batches), "a3");
}

TEST_F(MetricStoreTest, ReaderGoesOnAfterWhatItHasRead) {
  Add(a_, 1, 5);
  Add(b_, 1, 2);
  const auto reader = Subscribe({.after = {{"a", {1, 3}}}});
  const Chunk chunk = reader->Take(10);
  EXPECT_EQ(Text(chunk.batches), "a4 a5 b2");
  EXPECT_EQ(Text(chunk.gaps), "");
}

TEST_F(MetricStoreTest, ReaderMayBeAheadOfTheFeed) {
  Add(a_, 1, 3);
  const auto reader = Subscribe({.after = {{"a", {1, 5}}}});
  EXPECT_TRUE(reader->Take(10).empty());
  Add(a_, 4, 6);
  const Chunk chunk = reader->Take(10);
  EXPECT_EQ(Text(chunk.batches), "a6");
  EXPECT_EQ(Text(chunk.gaps), "");
}

TEST_F(MetricStoreTest, FramesThatNeverCameAreLost) {
  Add(a_, 1, 2);
  const auto reader = Subscribe({});
  reader->Take(10);
  Add(a_, 5, 5);
  const Chunk chunk = reader->Take(10);
  EXPECT_EQ(Text(chunk.batches), "a5");
  ASSERT_EQ(Text(chunk.gaps), "a/1:3-4 lost");
  EXPECT_EQ(chunk.gaps[0].from_unix_ns, 2 * kSecond);
  EXPECT_EQ(chunk.gaps[0].until_unix_ns, 5 * kSecond);
}

TEST_F(MetricStoreTest, LostFramesAreSaidToEveryReader) {
  Add(a_, 1, 2);
  Add(a_, 5, 6);
  EXPECT_EQ(Text(Subscribe({.since_unix_ns = 1})->Take(10).gaps), "a/1:3-4 lost");
  EXPECT_EQ(Text(Subscribe({.after = {{"a", {1, 1}}}})->Take(10).gaps), "a/1:3-4 lost");
  EXPECT_EQ(Text(Subscribe({})->Take(10).gaps), "");
}

TEST_F(MetricStoreTest, NewIncarnationIsSaid) {
  Add(a_, 1, 2);
  const auto reader = Subscribe({});
  reader->Take(10);
  const AgentPtr again = MakeAgent("a", 1, 7);
  Add(again, 1, 1);
  Chunk chunk = reader->Take(10);
  EXPECT_EQ(Text(chunk.batches), "a1");
  EXPECT_EQ(Text(chunk.gaps), "a/1:3-0 restarted");
  Add(MakeAgent("a", 1, 8), 3, 3);
  chunk = reader->Take(10);
  EXPECT_EQ(Text(chunk.gaps), "a/7:2-0 restarted a/8:1-2 lost");
}

TEST_F(MetricStoreTest, AgentThatIsNewToAReaderBeginsAtItsFirst) {
  const auto reader = Subscribe({});
  EXPECT_TRUE(reader->Take(10).empty());
  Add(a_, 1, 1);
  EXPECT_EQ(Text(reader->Take(10).gaps), "");
  Add(b_, 4, 4);
  EXPECT_EQ(Text(reader->Take(10).gaps), "b/1:1-3 lost");
}

TEST_F(MetricStoreTest, WhatIsNoLongerKeptIsTooOld) {
  Make({.history_ns = 10 * kSecond});
  Add(a_, 1, 50);
  EXPECT_EQ(Text(store_->History("a", 0)), "a40 a41 a42 a43 a44 a45 a46 a47 a48 a49 a50");
  const auto reader = Subscribe({.after = {{"a", {1, 20}}}});
  const Chunk chunk = reader->Take(1);
  EXPECT_EQ(Text(chunk.batches), "a40");
  EXPECT_EQ(Text(chunk.gaps), "a/1:21-39 too_old");
}

TEST_F(MetricStoreTest, HistoryEndsByReceiptToo) {
  Make({.history_ns = 10 * kSecond});
  Add(a_, 1, 5);
  Advance(11 * kSecond);
  Add(b_, 1, 1);
  EXPECT_EQ(store_->History("a", 0).size(), 0u);
  EXPECT_EQ(store_->LastOf("a"), (StorePosition{1, 5}));
  EXPECT_EQ(store_->Agents().at(0).newest->sequence, 5u);  // still what was last known of it
}

TEST_F(MetricStoreTest, BytesAreBoundedAndTheOldestOfAllGoesFirst) {
  const auto kept = [&] { return store_->History("a", 0).size() + store_->History("b", 0).size(); };
  Make({.bytes_max = 64 << 10});
  for (uint64_t sequence = 1; sequence <= 1000; ++sequence) {
    Add(a_, sequence, sequence);
    Add(b_, sequence, sequence);
  }
  EXPECT_LT(kept(), 400u);
  EXPECT_GT(kept(), 50u);
  EXPECT_LE(store_->History("a", 0).size(), store_->History("b", 0).size());
  EXPECT_LE(store_->History("b", 0).size(), store_->History("a", 0).size() + 1);
  EXPECT_EQ(store_->History("a", 0).back()->sequence, 1000u);
  EXPECT_LE(kept() * (sizeof(SampleBatch) + 2 * sizeof(Sample)), size_t{64} << 10);
}

TEST_F(MetricStoreTest, ReaderThatWaitsTooLongGoesOnAtTheNewest) {
  Add(a_, 1, 1);
  Add(b_, 1, 1);
  const auto reader = Subscribe({.lag_max_ns = 5 * kSecond});
  EXPECT_EQ(Text(reader->Take(10).batches), "a1 b1");
  for (uint64_t sequence = 2; sequence <= 20; ++sequence) {
    Add(a_, sequence, sequence);
    Advance(kSecond);
  }
  Add(b_, 2, 2);
  Chunk chunk = reader->Take(10);
  EXPECT_EQ(Text(chunk.batches), "a20 b2");
  EXPECT_EQ(Text(chunk.gaps), "a/1:2-19 slow_reader");
  EXPECT_EQ(chunk.missed, 18u * 2);  // two samples each
  chunk = reader->Take(10);
  EXPECT_TRUE(chunk.empty());
  Add(a_, 21, 21);
  chunk = reader->Take(10);
  EXPECT_EQ(Text(chunk.batches), "a21");
  EXPECT_EQ(Text(chunk.gaps), "");
  EXPECT_EQ(chunk.missed, 0u);
}

TEST_F(MetricStoreTest, ReaderWeighsWhatItMisses) {
  Add(a_, 1, 1);
  const auto reader =
      Subscribe({.lag_max_ns = kSecond, .weight = [](const SampleBatch& f) { return f.sequence; }});
  reader->Take(10);
  Add(a_, 2, 4);
  Advance(2 * kSecond);
  EXPECT_EQ(reader->Take(10).missed, 2u + 3u);
}

TEST_F(MetricStoreTest, ReaderOfThePastIsNotSlow) {
  Add(a_, 1, 100);
  const auto reader = Subscribe({.since_unix_ns = 1, .lag_max_ns = kSecond});
  for (uint64_t sequence = 1; sequence <= 100; ++sequence) {
    const Chunk chunk = reader->Take(1);
    ASSERT_EQ(Text(chunk.batches), "a" + std::to_string(sequence));
    ASSERT_TRUE(chunk.gaps.empty());
    Advance(kSecond);
  }
}

TEST_F(MetricStoreTest, WithoutALagOnlyWhatIsNotKeptIsMissed) {
  Make({.history_ns = 30 * kSecond});
  Add(a_, 1, 1);
  const auto reader = Subscribe({});
  reader->Take(10);
  for (uint64_t sequence = 2; sequence <= 100; ++sequence) {
    Advance(kSecond);
    Add(a_, sequence, sequence);
  }
  const Chunk chunk = reader->Take(1);
  EXPECT_EQ(Text(chunk.batches), "a70");
  EXPECT_EQ(Text(chunk.gaps), "a/1:2-69 slow_reader");
}

TEST_F(MetricStoreTest, WakesAReaderOnceItWaits) {
  const auto reader = Subscribe({});
  Add(a_, 1, 1);
  EXPECT_EQ(wakes_, 0);  // it has not looked yet
  reader->Take(10);
  Add(a_, 2, 2);
  EXPECT_EQ(wakes_, 0);  // nor found nothing
  reader->Take(10);
  EXPECT_TRUE(reader->Take(10).empty());
  Add(a_, 2, 2);
  EXPECT_EQ(wakes_, 0);  // known
  Add(a_, 3, 4);
  EXPECT_EQ(wakes_, 1);
}

TEST_F(MetricStoreTest, ReaderOfOneAgentSleepsThroughTheOthers) {
  const auto reader = Subscribe({.agent = "a", .events = true});
  EXPECT_TRUE(reader->Take(10).empty());
  Add(b_, 1, 1);
  store_->AddEvent(MakeEvent("b", 1));
  EXPECT_EQ(wakes_, 0);
  Add(a_, 1, 1);
  EXPECT_EQ(wakes_, 1);
  const Chunk chunk = reader->Take(10);
  EXPECT_EQ(Text(chunk.batches), "a1");
  EXPECT_EQ(Text(chunk.events), "");
  EXPECT_TRUE(reader->Take(10).empty());
  store_->AddEvent(MakeEvent("a", 1));
  EXPECT_EQ(wakes_, 2);
  EXPECT_EQ(Text(reader->Take(10).events), "a#1");
}

TEST_F(MetricStoreTest, ReaderOfOneAgentFindsItsEventAmongManyOthers) {
  const auto reader = Subscribe({.agent = "a", .batches = false, .events = true});
  EXPECT_TRUE(reader->Take(10).empty());
  for (uint64_t number = 1; number <= 600; ++number) store_->AddEvent(MakeEvent("b", number));
  store_->AddEvent(MakeEvent("a", 1));
  EXPECT_EQ(Text(reader->Take(10).events), "a#1");
}

TEST_F(MetricStoreTest, EventsAreKeptOnceByTimeAndFollowedByArrival) {
  store_->AddEvent(MakeEvent("a", 5));
  const auto reader = Subscribe({.batches = false, .events = true});
  EXPECT_EQ(Text(reader->Take(10).events), "a#5");
  store_->AddEvent(MakeEvent("a", 5));
  store_->AddEvent(MakeEvent("b", 1, 9));
  store_->AddEvent(MakeEvent("a", 4));
  EXPECT_EQ(Text(reader->Take(10).events), "b#1 a#4");
  EXPECT_EQ(Text(store_->Events(10)), "a#4 a#5 b#1");
  EXPECT_EQ(Text(store_->Events(2)), "a#5 b#1");
}

TEST_F(MetricStoreTest, ReaderChoosesHowManyPastEventsItWants) {
  for (uint64_t number = 1; number <= 5; ++number) store_->AddEvent(MakeEvent("a", number));
  EXPECT_EQ(Text(Subscribe({.events = true, .events_past = 2})->Take(9).events), "a#4 a#5");
  EXPECT_EQ(Text(Subscribe({.events = true, .events_past = 0})->Take(9).events), "");
  EXPECT_EQ(Text(Subscribe({})->Take(9).events), "");
}

TEST_F(MetricStoreTest, EventBetweenSubscribingAndTakingComesOnce) {
  const auto reader = Subscribe({.events = true});
  store_->AddEvent(MakeEvent("a", 1));
  EXPECT_EQ(Text(reader->Take(9).events), "a#1");
  EXPECT_TRUE(reader->Take(9).empty());
}

TEST_F(MetricStoreTest, EventsInFramesAreEvents) {
  SampleBatch batch;
  batch.agent = a_;
  batch.events = {MakeEvent("a", 1)};
  store_->AddBatch(std::make_shared<const SampleBatch>(batch));
  store_->AddBatch(std::make_shared<const SampleBatch>(batch));
  EXPECT_EQ(Text(store_->Events(10)), "a#1");
}

AuditRecord Record(const std::string& id, int64_t issued, int64_t started, int64_t ended) {
  AuditRecord record;
  record.id = id;
  record.agent = "a";
  record.issued_unix_ns = issued;
  record.started_unix_ns = started;
  record.ended_unix_ns = ended;
  return record;
}

// What a journal notes in one instant are two events all the same.
TEST_F(MetricStoreTest, EventsOfOneInstantAreAllKept) {
  Journal journal(a_, *store_, [] { return kSecond; });
  journal.Note(EventKind::kOther, "first");
  journal.Note(EventKind::kOther, "second");
  EXPECT_EQ(Text(store_->Events(10)), "first second");
}

TEST_F(MetricStoreTest, LaterStateOfARecordStays) {
  store_->AddAudit(Record("x", 1, 2, 0));
  const auto reader = Subscribe({.audits = true});
  EXPECT_EQ(reader->Take(9).audits.size(), 1u);
  store_->AddAudit(Record("x", 1, 2, 3));
  store_->AddAudit(Record("x", 1, 2, 0));
  EXPECT_EQ(store_->Audits(9)[0].ended_unix_ns, 3) << "an older word does not replace a newer";
  store_->AddAudit(Record("x", 1, 2, 3));
  ASSERT_EQ(store_->Audits(9).size(), 1u);
  EXPECT_EQ(store_->Audits(9)[0].ended_unix_ns, 3);
  const Chunk chunk = reader->Take(9);
  ASSERT_EQ(chunk.audits.size(), 1u);
  EXPECT_EQ(chunk.audits[0].ended_unix_ns, 3);
  EXPECT_TRUE(reader->Take(9).empty());
}

TEST_F(MetricStoreTest, RecordsAreBoundedAndSortedByIssue) {
  Make({.audits_max = 3});
  for (const int64_t issued : {5, 3, 9, 7, 1}) {
    store_->AddAudit(Record(std::to_string(issued), issued, 0, 0));
  }
  std::string ids;
  for (const AuditRecord& record : store_->Audits(9)) ids += record.id;
  EXPECT_EQ(ids, "579");
  ASSERT_EQ(store_->Audits(1).size(), 1u);
  EXPECT_EQ(store_->Audits(1)[0].id, "9");
  // What was forgotten may come again, and is judged anew.
  store_->AddAudit(Record("3", 3, 0, 0));
  EXPECT_EQ(store_->Audits(9).size(), 3u);
}

TEST_F(MetricStoreTest, EventBringsItsRecord) {
  Event event = MakeEvent("a", 1);
  event.audit = Record("x", 1, 0, 0);
  store_->AddEvent(event);
  EXPECT_EQ(store_->Audits(9).size(), 1u);
}

TEST_F(MetricStoreTest, EndedSubscriptionIsNotWoken) {
  auto reader = Subscribe({});
  EXPECT_TRUE(reader->Take(9).empty());
  reader.reset();
  Add(a_, 1, 1);
  EXPECT_EQ(wakes_, 0);
}

}  // namespace
}  // namespace bank::telemetry
