#include "branch/monitor/journal.h"

#include <utility>

namespace bank::monitor {

Journal::Journal(AgentPtr self, Feed& feed, std::function<int64_t()> unix_ns)
    : self_(std::move(self)), feed_(feed), unix_ns_(std::move(unix_ns)) {}

void Journal::Note(EventKind kind, std::string text) { Add(kind, std::move(text), std::nullopt); }

void Journal::NoteCommand(std::string text, AuditRecord record) {
  Add(EventKind::kCommand, std::move(text), std::move(record));
}

void Journal::Add(EventKind kind, std::string text, std::optional<AuditRecord> audit) {
  absl::MutexLock lock(&mutex_);
  feed_.AddEvent({.time_unix_ns = unix_ns_(),
                  .agent = self_->name,
                  .incarnation = self_->incarnation,
                  .number = next_number_++,
                  .kind = kind,
                  .text = std::move(text),
                  .audit = std::move(audit)});
}

}  // namespace bank::monitor
