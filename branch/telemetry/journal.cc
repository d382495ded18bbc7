#include "branch/telemetry/journal.h"

#include <utility>

namespace bank::telemetry {

Journal::Journal(AgentPtr self, MetricStore& store, std::function<int64_t()> unix_ns)
    : self_(std::move(self)), store_(store), unix_ns_(std::move(unix_ns)) {}

void Journal::Note(EventKind kind, std::string text) {
  Add(kind, unix_ns_(), std::move(text), std::nullopt);
}

void Journal::NoteCommand(std::string text, AuditRecord record) {
  int64_t time_unix_ns = record.ended_unix_ns != 0 ? record.ended_unix_ns : record.started_unix_ns;
  if (time_unix_ns == 0) time_unix_ns = unix_ns_();
  Add(EventKind::kCommand, time_unix_ns, std::move(text), std::move(record));
}

void Journal::Add(EventKind kind, int64_t time_unix_ns, std::string text,
                  std::optional<AuditRecord> audit) {
  absl::MutexLock lock(&mutex_);
  store_.AddEvent({.time_unix_ns = time_unix_ns,
                   .agent = self_->name,
                   .incarnation = self_->incarnation,
                   .number = next_number_++,
                   .kind = kind,
                   .text = std::move(text),
                   .audit = std::move(audit)});
}

}  // namespace bank::telemetry
