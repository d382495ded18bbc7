// Goal: the parsers' and rates' rules, one by one; whole trees: proc_trees_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "branch/telemetry/collectors/bank.h"
#include "branch/telemetry/collectors/counter.h"
#include "branch/telemetry/collectors/cpu.h"
#include "branch/telemetry/collectors/device_rates.h"
#include "branch/telemetry/collectors/disk.h"
#include "branch/telemetry/collectors/memory.h"
#include "branch/telemetry/collectors/network.h"
#include "branch/telemetry/collectors/pressure.h"
#include "branch/telemetry/collectors/process.h"

namespace bank::telemetry {
namespace {

using testing::ElementsAre;
using testing::Optional;

constexpr int64_t kSecondNs = 1'000'000'000;

std::optional<double> ValueOf(const std::vector<Sample>& samples, const Metric& metric,
                              std::vector<std::pair<std::string, std::string>> attributes = {}) {
  for (const Sample& sample : samples) {
    if (*sample.series == *MakeSeries(metric, attributes)) return sample.value;
  }
  return std::nullopt;
}

TEST(Counter, GrowsWrapsAndBeginsAnew) {
  EXPECT_THAT(CounterGrowth(5, 5), Optional(0u));
  EXPECT_THAT(CounterGrowth(5, 1'000'000'000'000), Optional(999'999'999'995u));
  EXPECT_THAT(CounterGrowth(4'294'967'290, 10), Optional(16u));  // 2^32 = 4'294'967'296
  EXPECT_EQ(CounterGrowth(1'000'000, 10), std::nullopt);
  EXPECT_EQ(CounterGrowth(4'294'967'290, 1'000'000'000), std::nullopt);
  EXPECT_EQ(CounterGrowth(10'000'000'000, 10), std::nullopt);
}

TEST(DeviceRates, ADeviceThatComesAgainBeginsAnew) {
  DeviceRates rates(kSystemNetworkIo, "receive", "transmit");
  std::vector<Sample> samples;
  const auto look = [&](int64_t now_s, bool there, uint64_t bytes) {
    rates.Begin(now_s * kSecondNs);
    DeviceRates::Rates found;
    if (there) found = rates.Add("eth0", bytes, bytes, &samples);
    rates.End();
    return found.in;
  };
  EXPECT_EQ(look(1, true, 0), std::nullopt);
  EXPECT_THAT(look(3, true, 4096), Optional(2.0));
  EXPECT_EQ(look(4, false, 0), std::nullopt);
  EXPECT_EQ(look(5, true, 8192), std::nullopt);
  EXPECT_THAT(look(6, true, 9216), Optional(1.0));
  EXPECT_EQ(samples.size(), 4u);
}

TEST(Cpu, BusyIsWhatIsNeitherIdleNorWaiting) {
  std::vector<CpuTimes> times;
  ParseCpuTimes("cpu  1 2 3 40 50 6 7 8 9 10\ncpu3 0 0 0 5 0 0 0 0 0 0\nintr 5 6\n", &times);
  ASSERT_EQ(times.size(), 2u);
  EXPECT_EQ(times[0].cpu, -1);
  EXPECT_EQ(times[0].busy, 27u);
  EXPECT_EQ(times[0].idle, 90u);
  EXPECT_EQ(times[1].cpu, 3);
  EXPECT_THAT(BusyPercent({0, 100, 100}, {0, 130, 170}), Optional(30.0));
  EXPECT_THAT(BusyPercent({0, 100, 100}, {0, 110, 90}), Optional(100.0));
  EXPECT_EQ(BusyPercent({0, 100, 100}, {0, 100, 100}), std::nullopt);
}

TEST(Memory, NeedsTotalAndAvailable) {
  EXPECT_EQ(ParseMeminfo("MemTotal: 100 kB\nMemFree: 50 kB\n"), std::nullopt);
  EXPECT_EQ(ParseMeminfo(""), std::nullopt);
  const auto use = ParseMeminfo(
      "MemTotal: 100 kB\nMemFree: 10 kB\nMemAvailable: 70 kB\nBuffers: 5 kB\nCached: 40 kB\n"
      "SwapCached: 99 kB\nSReclaimable: 6 kB\n");
  ASSERT_TRUE(use.has_value());
  EXPECT_EQ(use->used, 30u * 1024);
  EXPECT_EQ(use->free, 10u * 1024);
  EXPECT_EQ(use->cached, 46u * 1024);
  EXPECT_EQ(use->buffers, 5u * 1024);
}

TEST(Disk, CountsEachByteOnce) {
  std::string text;
  for (const char* name : {"sda", "sda1", "sda2", "sdaa", "nvme0n1", "nvme0n1p1", "mmcblk0",
                           "mmcblk0boot0", "md0", "dm-1", "loop0", "ram1", "zram0", "xvda1"}) {
    text += std::string(" 1 1 ") + name + " 1 1 2 1 1 1 4 1 0 0 0\n";
  }
  std::vector<DiskBytes> disks;
  ParseDiskstats(text, &disks);
  std::vector<std::string_view> whole;
  std::vector<std::string_view> stacked;
  for (const DiskBytes& disk : disks) {
    (disk.stacked ? stacked : whole).push_back(disk.device);
    EXPECT_EQ(disk.read, 1024u);
    EXPECT_EQ(disk.written, 2048u);
  }
  EXPECT_THAT(whole, ElementsAre("sda", "sdaa", "nvme0n1", "mmcblk0", "mmcblk0boot0", "xvda1"));
  EXPECT_THAT(stacked, ElementsAre("md0", "dm-1"));
}

TEST(Network, NamesMayHoldColonsAndTouchTheNumbers) {
  std::vector<InterfaceBytes> found;
  ParseNetDev("Inter-| Receive\n face |bytes\neth0:1:123 0 0 0 0 0 0 0 456 0\nbad: x\n", &found);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].device, "eth0:1");
  EXPECT_EQ(found[0].received, 123u);
  EXPECT_EQ(found[0].transmitted, 456u);
}

TEST(Pressure, SomeMayStandAlone) {
  const Stall stall = ParsePressure("some avg10=1.25 avg60=2.00 avg300=3.00 total=4\n");
  EXPECT_THAT(stall.some, Optional(1.25));
  EXPECT_EQ(stall.full, std::nullopt);
}

TEST(Process, NonsenseIsNothing) {
  EXPECT_EQ(ParseProcessStat("").has_value(), false);
  EXPECT_EQ(ParseProcessStat("1 (x) S 1 2").has_value(), false);
}

TEST(Bank, RatesAndQuantilesAreOfTheInterval) {
  ProcessMetrics metrics;
  LatencyHistogram writes;
  LatencyHistogram syncs;
  replication::ReplicatorStatus status;
  status.role = replication::Role::kLeader;
  status.known_commit_index = LogIndex(12);
  status.applied_index = LogIndex(9);
  BankCollector collector([&] { return status; },
                          [&] {
                            metrics.writes = writes.Read();
                            metrics.syncs = syncs.Read();
                            return metrics;
                          });
  writes.Record(1'000'000'000, 1000);
  std::vector<Sample> samples;
  collector.Collect(kSecondNs, &samples);
  EXPECT_THAT(ValueOf(samples, kRaftLag), Optional(3.0));
  EXPECT_THAT(ValueOf(samples, kRaftLeader), Optional(1.0));
  EXPECT_EQ(ValueOf(samples, kSnapshotAge), std::nullopt);
  EXPECT_EQ(ValueOf(samples, kOperationsRate, {{"kind", "write"}}), std::nullopt);

  writes.Record(2'000'000, 50);
  metrics.snapshot_age_ns = 3 * kSecondNs / 2;
  samples.clear();
  collector.Collect(3 * kSecondNs, &samples);
  EXPECT_THAT(ValueOf(samples, kOperationsRate, {{"kind", "write"}}), Optional(25.0));
  EXPECT_THAT(ValueOf(samples, kOperationsRate, {{"kind", "read"}}), Optional(0.0));
  EXPECT_NEAR(ValueOf(samples, kRequestDuration, {{"quantile", "0.99"}}).value_or(0), 2, 0.13);
  EXPECT_EQ(ValueOf(samples, kDiskSyncDuration, {{"quantile", "0.5"}}), std::nullopt);
  EXPECT_THAT(ValueOf(samples, kSnapshotAge), Optional(1.5));
}

}  // namespace
}  // namespace bank::telemetry
