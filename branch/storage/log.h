// Log: the segment files of one branch's log, and the mark of how far they are durable.
//
// Every file is written from its begin to its end, once. What stands behind the durable end may be
// a torn write and is cut when the log is opened; everything before it must be whole. Three
// witnesses say where the durable end is: each batch names the end as it was when the batch was
// written, each segment names the end of the one before it, and the mark file follows each Sync().
//
// Not thread-safe. After an error the log must not be used any more: open it again.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "branch/storage/dual_copy_file.h"
#include "branch/storage/entry.h"
#include "branch/storage/file_system.h"
#include "branch/storage/log_format.h"

namespace bank::storage {

struct LogOptions {
  uint64_t segment_bytes = 64 << 20;  // a file is ended when the next batch would pass this size
  uint64_t grow_bytes = 1 << 20;      // zeros written ahead at a time, at most
};

// What the log held when it was opened.
struct LoggedEntries {
  LogIndex first_index{1};
  std::vector<Entry> entries;
  bool never_written = false;
  LogIndex NextIndex() const { return first_index.Plus(entries.size()); }
};

std::string SegmentName(uint64_t segment);
// 0 if `name` is no segment's.
uint64_t ParseSegmentName(std::string_view name);
inline constexpr std::string_view kMarkName = "mark";

class Log {
 public:
  Log(FileSystem& fs, std::string folder, const Identity& identity, const LogOptions& options);

  // Makes the first segment and the mark, durable but for their names.
  absl::Status Create();
  // Reads everything, cuts a torn tail, and makes durable what it returns. DataLoss if anything
  // that was durable is damaged or missing.
  absl::StatusOr<LoggedEntries> Load(const std::vector<std::string>& names,
                                     std::vector<std::string>* notes);

  // As Storage's members of that name. Reset empties the log: the next entry is `next`.
  absl::Status Append(LogIndex first, absl::Span<const Entry> entries);
  absl::Status Reset(LogIndex next);
  absl::Status Sync();
  // A snapshot that contains every entry up to `index` is on the disk and must be from now on.
  absl::Status RequireSnapshot(LogIndex index);
  // Removes old segments that hold no entry at or after `first`.
  absl::Status TrimPrefix(LogIndex first);

  LogIndex next_index() const { return next_index_; }
  LogIndex required_snapshot() const { return mark_.snapshot_index; }

 private:
  struct Mark {
    uint64_t first_segment = 1;  // the oldest one that must be there
    LogPlace synced;             // the log was durable up to here
    LogIndex snapshot_index;     // a snapshot of this index or later must be there
  };
  struct Segment {
    uint64_t number = 0;
    LogIndex last_index;  // highest index of an entry in it that may still be in the log
  };

  std::string PathOf(uint64_t segment) const;
  static std::string EncodeMark(const Mark& mark);
  absl::Status LoadMark(std::vector<std::string>* notes);
  absl::StatusOr<std::vector<uint64_t>> ListSegments(const std::vector<std::string>& names) const;
  absl::Status Replay(std::vector<Batch> batches, const std::string& path, LoggedEntries* log);
  absl::Status Repair(std::string_view bytes, const SegmentContent& content,
                      std::vector<std::string>* notes);

  absl::Status WriteBatch(BatchKind kind, LogIndex first, absl::Span<const Entry> entries);
  // Ends the present segment, which must be durable, and begins the next.
  absl::Status BeginSegment(uint64_t number);
  void ForgetFrom(LogIndex first);

  FileSystem& fs_;
  const std::string folder_;
  const Identity identity_;
  const LogOptions options_;
  DualCopyFile mark_file_;
  Mark mark_;

  std::deque<Segment> segments_;  // the last one is being written
  std::unique_ptr<File> file_;
  SectorSeal seal_;
  uint64_t end_ = 0;        // offset one past the last batch in the last segment
  uint64_t zeroed_to_ = 0;  // the file's size: zeros from end_ to here
  LogIndex next_index_{1};
  uint64_t next_batch_ = 1;
  std::string buffer_;
};

}  // namespace bank::storage
