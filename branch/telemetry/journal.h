// Journal: what happens at this branch, numbered and dated, into its metric store and thereby to
// every branch. Thread-safe; nothing blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "branch/telemetry/metric_store.h"
#include "branch/telemetry/sample_batch.h"

namespace bank::telemetry {

class Journal {
 public:
  // `unix_ns` is the wall clock. The metric store must outlive it.
  Journal(AgentPtr self, MetricStore& store, std::function<int64_t()> unix_ns);

  // `text` is one line.
  void Note(EventKind kind, std::string text);
  // Also enters the record (or what became of it) into the audit of every branch.
  // Dated by the record's own last change: it may be one of an earlier run of the branch.
  void NoteCommand(std::string text, AuditRecord record);

  const AgentPtr& self() const { return self_; }

 private:
  void Add(EventKind kind, int64_t time_unix_ns, std::string text,
           std::optional<AuditRecord> audit);

  const AgentPtr self_;
  MetricStore& store_;
  const std::function<int64_t()> unix_ns_;

  absl::Mutex
      mutex_;  // held while the event enters the metric store, so that numbers enter in order
  uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace bank::telemetry
