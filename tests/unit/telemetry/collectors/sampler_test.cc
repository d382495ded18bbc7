// Goal: batches are numbered without holes, instants lie on a steady grid, and switches work while
// it runs. Method: the parts alone, then a real thread at the shortest interval, awaited batch by
// batch; last, the real collectors' cost in CPU time.
#include "branch/telemetry/collectors/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <ctime>
#include <iostream>
#include <mutex>

#include "branch/telemetry/catalog.h"
#include "branch/telemetry/collectors/all.h"

namespace bank::telemetry {
namespace {

AgentPtr TestAgent() {
  return std::make_shared<const Agent>(Agent{"branch-3", "host", BranchId(3), 7});
}

TEST(Schedule, ALateWakeMissesInstantsAndKeepsTheGrid) {
  Schedule schedule(1000, 100);
  schedule.Advance(1001);
  EXPECT_EQ(schedule.next_ns(), 1100);
  schedule.Advance(1470);
  EXPECT_EQ(schedule.next_ns(), 1500);
  schedule.Advance(1500);
  EXPECT_EQ(schedule.next_ns(), 1600);
}

TEST(Schedule, ANewIntervalCountsFromTheLastInstant) {
  Schedule schedule(1000, 100);
  schedule.Advance(1000);
  schedule.SetInterval(1010, 1000);
  EXPECT_EQ(schedule.next_ns(), 2000);
  schedule.SetInterval(1500, 200);
  EXPECT_EQ(schedule.next_ns(), 1500);
}

class CountingCollector final : public Collector {
 public:
  explicit CountingCollector(int* forgotten) : forgotten_(forgotten) {}
  std::string_view name() const override { return "counting"; }
  void Collect(int64_t, std::vector<Sample>* samples) override { samples->push_back({series_, 1}); }
  void Forget() override { ++*forgotten_; }

 private:
  int* forgotten_;
  const SeriesPtr series_ = MakeSeries(kReady);
};

class SamplerTest : public testing::Test {
 protected:
  void Start(int64_t interval_ms, int64_t heartbeat_ms = 1000) {
    std::vector<std::unique_ptr<Collector>> collectors;
    collectors.push_back(std::make_unique<CountingCollector>(&forgotten_));
    sampler_ = std::make_unique<Sampler>(
        SamplerOptions{
            .agent = TestAgent(), .interval_ms = interval_ms, .heartbeat_ms = heartbeat_ms},
        std::move(collectors), [] { return replication::ReplicatorStatus{}; }, clock_,
        [this] { return ++unix_ns_; },
        [this](SampleBatchPtr batch) {
          const std::lock_guard lock(mutex_);
          batches_.push_back(std::move(batch));
          came_.notify_all();
        });
    sampler_->Start();
  }
  // The first batch from `from` on that has the property.
  SampleBatchPtr Await(size_t from, const std::function<bool(const SampleBatch&)>& property) {
    std::unique_lock lock(mutex_);
    for (;; ++from) {
      if (!came_.wait_for(lock, std::chrono::seconds(30), [&] { return batches_.size() > from; })) {
        ADD_FAILURE() << "no such frame came";
        return std::make_shared<SampleBatch>();
      }
      if (property(*batches_[from])) return batches_[from];
    }
  }
  size_t count() {
    const std::lock_guard lock(mutex_);
    return batches_.size();
  }

  const SteadyClock clock_;
  int64_t unix_ns_ = 1000;  // of the sampler's thread
  int forgotten_ = 0;
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<SampleBatchPtr> batches_;
  std::unique_ptr<Sampler> sampler_;
};

TEST_F(SamplerTest, FramesFollowEachOther) {
  Start(100);
  Await(0, [](const SampleBatch& batch) { return batch.sequence == 4; });
  sampler_->Stop();
  for (size_t i = 0; i < batches_.size(); ++i) {
    EXPECT_EQ(batches_[i]->sequence, i + 1);
    EXPECT_EQ(batches_[i]->agent->incarnation, 7u);
    EXPECT_EQ(batches_[i]->samples.size(), 1u);
    EXPECT_TRUE(batches_[i]->status.has_value());
    EXPECT_EQ(batches_[i]->time_unix_ns, 1001 + static_cast<int64_t>(i));
  }
}

TEST_F(SamplerTest, SwitchesWorkWhileItRuns) {
  Start(100);
  EXPECT_EQ(sampler_->SetCollector("nonsense", Sampler::Switch::kOff).code(),
            absl::StatusCode::kNotFound);
  ASSERT_TRUE(sampler_->SetCollector("counting", Sampler::Switch::kOff).ok());
  Await(count(), [](const SampleBatch& batch) { return batch.samples.empty(); });
  ASSERT_TRUE(sampler_->SetCollector("counting", Sampler::Switch::kOn).ok());
  Await(count(), [](const SampleBatch& batch) { return !batch.samples.empty(); });
  sampler_->Stop();
  EXPECT_EQ(forgotten_, 1);
}

TEST_F(SamplerTest, AnIntervalOutOfBoundsIsRefusedAndANewOneWorksAtOnce) {
  Start(3'600'000);
  Await(0, [](const SampleBatch& batch) { return batch.sequence == 1; });
  EXPECT_EQ(sampler_->SetInterval(99).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(sampler_->SetInterval(3'600'001).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(sampler_->interval_ms(), 3'600'000);
  ASSERT_TRUE(sampler_->SetInterval(100).ok());
  EXPECT_EQ(sampler_->interval_ms(), 100);
  Await(1, [](const SampleBatch& batch) { return batch.sequence == 2 && !batch.samples.empty(); });
}

TEST_F(SamplerTest, BetweenInstantsItGivesSignsOfLife) {
  Start(3'600'000, /*sign_of_life_ms=*/20);
  const SampleBatchPtr sign =
      Await(1, [](const SampleBatch& batch) { return batch.sequence == 0; });
  EXPECT_TRUE(sign->samples.empty());
  EXPECT_TRUE(sign->status.has_value());
  EXPECT_EQ(batches_.front()->sequence, 1u);
}

TEST(Collectors, GiveWhatTheCatalogNames) {
  OperationMetrics operations;
  replication::ReplicationMetrics replication;
  const SteadyClock clock;
  operations.writes.Record(1'000'000, 100);
  const auto collectors = MakeCollectors(
      "/proc", [] { return replication::ReplicatorStatus{}; },
      [&] { return ReadProcessMetrics(operations, replication, 0, clock); });
  std::vector<Sample> samples;
  for (const auto& collector : collectors) collector->Collect(clock.NowNs(), &samples);
  EXPECT_FALSE(samples.empty());
  for (const Sample& sample : samples) {
    EXPECT_NE(FindMetric(sample.series->metric), nullptr) << sample.series->metric;
    EXPECT_EQ(FindMetric(sample.series->metric)->unit, sample.series->unit);
  }
}

}  // namespace
}  // namespace bank::telemetry
