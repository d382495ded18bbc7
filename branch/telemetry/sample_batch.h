// What branches tell each other about themselves, without bytes or sockets: series, batches,
// events, audit records. The wire's form and the meaning of each field:
// proto/bank/v1/monitor.proto.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "branch/replication/replicator.h"
#include "common/ids.h"

namespace bank::telemetry {

struct Series {
  std::string metric;                                           // a name of the catalog
  std::vector<std::pair<std::string, std::string>> attributes;  // sorted by key
  std::string unit;
  bool operator==(const Series&) const = default;
};
using SeriesPtr = std::shared_ptr<const Series>;

// Memory, about.
inline size_t BytesOf(const Series& series) {
  size_t bytes = sizeof(Series) + series.metric.size() + series.unit.size();
  for (const auto& [key, value] : series.attributes) {
    bytes += 2 * sizeof(std::string) + key.size() + value.size();
  }
  return bytes;
}

struct Agent {
  std::string name;  // unique in the bank; a branch's: "branch-3"
  std::string hostname;
  BranchId branch;           // 0: not a branch
  uint64_t incarnation = 0;  // of this run of the agent; greater than its earlier ones
};
using AgentPtr = std::shared_ptr<const Agent>;

enum class CommandOutcome { kUnknown, kDone, kFailed, kRefused, kCancelled, kTimedOut };

struct AuditRecord {
  std::string id;
  std::string agent;
  std::string issuer;
  std::string command;  // as bankctl writes it
  int64_t issued_unix_ns = 0;
  int64_t started_unix_ns = 0;
  int64_t ended_unix_ns = 0;  // 0: running, or interrupted
  CommandOutcome outcome = CommandOutcome::kUnknown;
  int exit_status = 0;
  std::string message;
};

enum class EventKind {
  kOther,
  kElection,
  kJoined,
  kLost,
  kReadiness,
  kCustomer,
  kCommand,
  kSnapshot
};

struct Event {
  int64_t time_unix_ns = 0;
  std::string agent;
  uint64_t incarnation = 0;
  uint64_t number = 0;  // unique and increasing within agent and incarnation
  EventKind kind = EventKind::kOther;
  std::string text;  // one line
  std::optional<AuditRecord> audit;
};

struct Sample {
  SeriesPtr series;
  double value = 0;
};

// All that one agent saw at one instant.
struct SampleBatch {
  AgentPtr agent;
  uint64_t sequence = 0;  // 0: a heartbeat without samples
  int64_t time_unix_ns = 0;
  std::vector<Sample> samples;
  std::optional<replication::ReplicatorStatus> status;  // of a branch
  std::vector<Event> events;
  uint64_t lost_before = 0;  // batches just before this one that the agent no longer holds
  size_t defined_bytes = 0;  // memory of the series that came with it and were not known before
};
using SampleBatchPtr = std::shared_ptr<const SampleBatch>;

}  // namespace bank::telemetry
