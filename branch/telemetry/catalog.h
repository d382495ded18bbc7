// Catalog: every metric there is: its name on the stream, its unit and what it means.
//
// Names follow OpenTelemetry's conventions for system and process metrics, units are UCUM; the name
// that Prometheus sees is derived from both. A metric that a machine does not offer is absent,
// never a made-up 0. Percents are 0 to 100; "KiBy" is 1024 bytes, as in iostat and ifstat. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "branch/telemetry/sample_batch.h"

namespace bank::telemetry {

struct Metric {
  std::string_view name;
  std::string_view unit;
  std::string_view help;
};

// In the order of names' groups: host, process, bank.
std::span<const Metric> Catalog();
const Metric* FindMetric(std::string_view name);  // nullptr: there is none

// "system.disk.io" in "KiBy/s" is "system_disk_io_kibibytes_per_second".
std::string PrometheusName(std::string_view name, std::string_view unit);

SeriesPtr MakeSeries(const Metric& metric,
                     std::vector<std::pair<std::string, std::string>> attributes = {});

// clang-format off
inline constexpr Metric kSystemCpuUtilization{"system.cpu.utilization", "%",
    "Share of time in which the processors were neither idle nor waiting for a disk, 0 to 100: of all of them, or of one (cpu)"};
inline constexpr Metric kSystemMemoryUtilization{"system.memory.utilization", "%",
    "Share of memory in use, 0 to 100: what is not available to new programs, as free(1) counts it"};
inline constexpr Metric kSystemMemoryUsage{"system.memory.usage", "By",
    "Memory by state: used, free, cached, buffers; as free(1) counts them, so used and cached may overlap"};
inline constexpr Metric kSystemDiskIo{"system.disk.io", "KiBy/s",
    "Bytes read or written (direction) per second: of all disks, or of one (device)"};
inline constexpr Metric kSystemNetworkIo{"system.network.io", "KiBy/s",
    "Bytes received or transmitted (direction) per second by an interface (device)"};
inline constexpr Metric kSystemLoad1{"system.cpu.load_average.1m", "1",
    "Tasks that run, want to run, or wait for a disk, averaged over a minute"};
inline constexpr Metric kSystemLoad5{"system.cpu.load_average.5m", "1",
    "Tasks that run, want to run, or wait for a disk, averaged over five minutes"};
inline constexpr Metric kSystemLoad15{"system.cpu.load_average.15m", "1",
    "Tasks that run, want to run, or wait for a disk, averaged over fifteen minutes"};
inline constexpr Metric kSystemUptime{"system.uptime", "s", "Time since the host started"};
inline constexpr Metric kSystemFileDescriptorCount{"system.file_descriptor.count", "1",
    "Open files of the whole host (used) and how many there may be (limit)"};
inline constexpr Metric kSystemPressureStall{"system.pressure.stall", "%",
    "Share of the last 10 seconds, 0 to 100, in which some or all (full) tasks stood still for want of a resource: cpu, memory, io"};

inline constexpr Metric kProcessCpuUtilization{"process.cpu.utilization", "%",
    "Share of all processors that this branch's process used, 0 to 100"};
inline constexpr Metric kProcessMemoryUsage{"process.memory.usage", "By",
    "Resident memory of this branch's process"};
inline constexpr Metric kProcessFileDescriptorCount{"process.open_file_descriptor.count", "1",
    "Open files of this branch's process"};
inline constexpr Metric kProcessThreadCount{"process.thread.count", "1",
    "Threads of this branch's process"};
inline constexpr Metric kProcessUptime{"process.uptime", "s",
    "Time since this branch's process started"};

inline constexpr Metric kOperationsRate{"bank.operations.rate", "1/s",
    "Customers' operations answered per second at this branch (kind: read, write)"};
inline constexpr Metric kRequestDuration{"bank.request.duration", "ms",
    "Time from an operation's arrival at this branch to its answer, in the last interval (quantile); absent if there was none"};
inline constexpr Metric kQueueDepth{"bank.queue.depth", "1",
    "What waits at this branch: customers' operations, jobs of the disk, proposals to the log (queue)"};
inline constexpr Metric kRaftTerm{"bank.raft.term", "1", "Leader epoch"};
inline constexpr Metric kRaftCommitIndex{"bank.raft.commit_index", "1",
    "Highest entry of this branch's log that is known to be safe"};
inline constexpr Metric kRaftAppliedIndex{"bank.raft.applied_index", "1",
    "Highest entry that is in this branch's ledger"};
inline constexpr Metric kRaftLag{"bank.raft.lag", "1",
    "Entries that the leader has told to be safe and that are not in this branch's ledger yet"};
inline constexpr Metric kRaftElections{"bank.raft.elections", "1",
    "Leaders that this branch has seen since it started, one for each term that had one"};
inline constexpr Metric kRaftLeader{"bank.raft.leader", "1", "1 if this branch leads, else 0"};
inline constexpr Metric kPosition{"bank.position", "1",
    "Position of the last write in this branch's ledger, as on customers' receipts"};
inline constexpr Metric kDiskSyncDuration{"bank.disk.sync.duration", "ms",
    "Time that the log took to become durable, in the last interval (quantile); absent if there was nothing to write"};
inline constexpr Metric kSnapshotAge{"bank.snapshot.age", "s",
    "Time since this branch last took or received a snapshot; absent if it has not since it started"};
inline constexpr Metric kSnapshotIndex{"bank.snapshot.index", "1",
    "Entry up to which the newest snapshot holds everything; 0: there is none"};
inline constexpr Metric kAccounts{"bank.accounts", "1", "Accounts in this branch's ledger"};
inline constexpr Metric kSessions{"bank.sessions", "1", "Open sessions in this branch's ledger"};
inline constexpr Metric kOwnKeyConflicts{"bank.own_key_conflicts", "1",
    "Writes since this branch started that found a key of its own session used by somebody else; any is an alarm"};
inline constexpr Metric kBalanceTotal{"bank.balance.total", "1",
    "Sum of all balances in this branch's ledger, in minor units"};
inline constexpr Metric kReady{"bank.ready", "1", "1 if this branch serves customers, else 0"};
// clang-format on

}  // namespace bank::telemetry
