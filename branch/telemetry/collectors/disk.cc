#include "branch/telemetry/collectors/disk.h"

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "branch/telemetry/collectors/text.h"

namespace bank::telemetry {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// "sda1" is a partition of "sda", "nvme0n1p1" of "nvme0n1": the kernel lists them after it.
bool IsPartitionOf(std::string_view device, std::string_view disk) {
  if (disk.empty() || device.size() <= disk.size() || !device.starts_with(disk)) return false;
  std::string_view number = device.substr(disk.size());
  if (IsDigit(disk.back())) {
    if (number.front() != 'p') return false;
    number.remove_prefix(1);
  }
  return !number.empty() && std::all_of(number.begin(), number.end(), IsDigit);
}

bool IsNumbered(std::string_view device, std::initializer_list<std::string_view> kinds) {
  return std::any_of(kinds.begin(), kinds.end(), [&](std::string_view kind) {
    return device.size() > kind.size() && device.starts_with(kind) && IsDigit(device[kind.size()]);
  });
}

}  // namespace

void ParseDiskstats(std::string_view diskstats, std::vector<DiskBytes>* disks) {
  disks->clear();
  constexpr uint64_t kSectorBytes = 512;  // whatever the device's own are
  std::string_view line;
  std::string_view disk;  // the last one that was no partition
  while (TakeLine(&diskstats, &line)) {
    SkipFields(&line, 2);  // major, minor
    const std::string_view device = TakeField(&line);
    if (device.empty() || IsPartitionOf(device, disk)) continue;
    disk = device;
    if (IsNumbered(device, {"loop", "ram", "zram"})) continue;
    SkipFields(&line, 2);  // reads, merged
    const std::optional<uint64_t> read = TakeNumber<uint64_t>(&line);
    SkipFields(&line, 3);  // ms of reads; writes, merged
    const std::optional<uint64_t> written = TakeNumber<uint64_t>(&line);
    if (!read.has_value() || !written.has_value()) continue;
    disks->push_back({.device = device,
                      .read = *read * kSectorBytes,
                      .written = *written * kSectorBytes,
                      .stacked = device.starts_with("dm-") || IsNumbered(device, {"md"})});
  }
}

DiskCollector::DiskCollector(const std::string& proc)
    : diskstats_(proc + "/diskstats"),
      rates_(kSystemDiskIo, "read", "write"),
      total_read_(MakeSeries(kSystemDiskIo, {{"direction", "read"}})),
      total_written_(MakeSeries(kSystemDiskIo, {{"direction", "write"}})) {}

void DiskCollector::Collect(int64_t now_ns, std::vector<Sample>* samples) {
  const auto text = diskstats_.Read();
  if (!text.has_value()) return;
  ParseDiskstats(*text, &disks_);
  std::optional<double> read;
  std::optional<double> written;
  const auto add = [](std::optional<double>* total, const std::optional<double>& rate) {
    if (rate.has_value()) *total = total->value_or(0) + *rate;
  };
  rates_.Begin(now_ns);
  for (const DiskBytes& disk : disks_) {
    const DeviceRates::Rates rates = rates_.Add(disk.device, disk.read, disk.written, samples);
    if (disk.stacked) continue;
    add(&read, rates.in);
    add(&written, rates.out);
  }
  rates_.End();
  if (read.has_value()) samples->push_back({total_read_, *read});
  if (written.has_value()) samples->push_back({total_written_, *written});
}

}  // namespace bank::telemetry
