// CommandLog: which commands were begun and how they ended, on the disk: the memory behind "at most
// once" and behind the audit.
//
// One file of lines, `<crc32c as 8 hex digits> <JSON object>`, each holding the whole record as it
// stood then; the last line about an (id, agent) counts (docs/FORMATS.md). A record is synced
// before Begin() returns, so that nothing runs that the log does not know. The newest records are
// kept; the file is rewritten when it has grown to twice what they need.
//
// Damaged lines are skipped with a warning and never keep the branch from starting. A log that
// cannot be written refuses to begin anything: Begin() fails, and the caller must not run it.
// Thread-safe. Begin() and End() wait for the disk.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "branch/storage/file_system.h"
#include "branch/telemetry/sample_batch.h"

namespace bank::remote_command {

struct CommandLogOptions {
  size_t records_max = 10'000;  // of commands that were begun; older ids are forgotten
  size_t refused_max = 1'000;   // of commands that were not
  uint64_t file_bytes_min = uint64_t{1} << 20;  // below this the file is never rewritten
};

class CommandLog {
 public:
  // Reads what is in `folder`, which is made if it is not there. `files` must outlive the log.
  // Never fails: what is wrong is in `notes`, one line each.
  CommandLog(storage::FileSystem& files, std::string folder, CommandLogOptions options,
             std::vector<std::string>* notes);

  // What is known of this id on this agent.
  std::optional<telemetry::AuditRecord> Find(std::string_view id, std::string_view agent) const;

  // Durable when it returns OK. AlreadyExists: the id is known for this agent.
  absl::Status Begin(const telemetry::AuditRecord& record);
  // The record with its end. An error: the end is remembered, but not durable.
  absl::Status End(const telemetry::AuditRecord& record);
  // A command that was refused and never began. Its id stays free; the record gets an id of its
  // own, ID#1, ID#2, ..., which no command can have.
  telemetry::AuditRecord Refuse(telemetry::AuditRecord record);

  // The newest `limit`, in the order in which they were begun.
  std::vector<telemetry::AuditRecord> Newest(size_t limit) const;

 private:
  using Key = std::pair<std::string, std::string>;  // id, agent
  using Records = std::map<uint64_t, telemetry::AuditRecord>;

  void Load(std::vector<std::string>* notes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Remember(const telemetry::AuditRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(Records* records, size_t count_max) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Append(const telemetry::AuditRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Rewrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string PathOf(std::string_view name) const;

  storage::FileSystem& files_;
  const std::string folder_;
  const CommandLogOptions options_;

  mutable absl::Mutex mutex_;
  Records begun_ ABSL_GUARDED_BY(mutex_);  // by the order of their beginning
  Records refused_ ABSL_GUARDED_BY(mutex_);
  std::map<Key, uint64_t> order_of_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_order_ ABSL_GUARDED_BY(mutex_) = 1;
  std::unique_ptr<storage::File> file_ ABSL_GUARDED_BY(mutex_);  // null: cannot be written
  absl::Status broken_ ABSL_GUARDED_BY(mutex_);                  // why
  uint64_t size_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t size_compact_ ABSL_GUARDED_BY(mutex_) = 0;  // after the last rewriting
};

// One line of the file, with its newline; and back: nothing if it is damaged.
std::string EncodeLine(const telemetry::AuditRecord& record);
std::optional<telemetry::AuditRecord> DecodeLine(std::string_view line);

std::string_view OutcomeName(telemetry::CommandOutcome outcome);  // "done", "timed_out", ...

}  // namespace bank::remote_command
