// Goal: a scrape says what the stream says, under the catalog's names, and its histograms count
// every operation once.
#include "branch/console/exposition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "branch/telemetry/catalog.h"
#include "common/latency_histogram.h"

namespace bank::console {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const telemetry::Agent kAgent{.name = "branch-2", .hostname = "host", .branch = BranchId(2)};

TEST(Exposition, AReadingIsAGaugeWithItsAttributesAsLabels) {
  telemetry::SampleBatch batch;
  batch.samples = {
      {telemetry::MakeSeries(telemetry::kSystemDiskIo, {{"device", "sda"}, {"direction", "read"}}),
       12.5},
      {telemetry::MakeSeries(telemetry::kSystemDiskIo, {{"direction", "read"}}), 13},
      {telemetry::MakeSeries(telemetry::kReady), 1}};
  const std::string text = Expose(&batch, {}, kAgent);
  EXPECT_THAT(text, HasSubstr("# TYPE system_disk_io_kibibytes_per_second gauge"));
  EXPECT_THAT(
      text,
      HasSubstr("system_disk_io_kibibytes_per_second{device=\"sda\",direction=\"read\"} 12.5\n"));
  EXPECT_THAT(text, HasSubstr("system_disk_io_kibibytes_per_second{direction=\"read\"} 13\n"));
  EXPECT_THAT(text, HasSubstr("bank_ready 1\n"));
  EXPECT_THAT(text, HasSubstr("bank_branch_info{branch=\"2\",hostname=\"host\",version="));
}

TEST(Exposition, HistogramsCountEveryOperationOnce) {
  LatencyHistogram writes;
  writes.Record(1'000'000, 3);     // 1 ms
  writes.Record(100'000'000'000);  // longer than the last bound
  telemetry::ProcessMetrics metrics;
  metrics.writes = writes.Read();
  const std::string text = Expose(nullptr, metrics, kAgent);
  EXPECT_THAT(text, HasSubstr("# TYPE bank_request_seconds histogram"));
  EXPECT_THAT(text, HasSubstr("bank_request_seconds_count{kind=\"write\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("bank_request_seconds_count{kind=\"read\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("bank_request_seconds_bucket{kind=\"write\",le=\"0.000524288\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("bank_request_seconds_bucket{kind=\"write\",le=\"0.001048576\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("bank_request_seconds_bucket{kind=\"write\",le=\"+Inf\"} 4\n"));
}

TEST(Exposition, WithoutAFrameThereAreNoMadeUpValues) {
  EXPECT_THAT(Expose(nullptr, {}, kAgent), Not(HasSubstr("system_")));
}

}  // namespace
}  // namespace bank::console
