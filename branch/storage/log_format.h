// The log's bytes: what a segment file holds and how it is read back. Pure; docs/FORMATS.md has the
// tables.
//
// A log is a list of batches, each written by one call and taken as a whole or not at all. A batch
// either writes entries from some index on, replacing what was there, or empties the log. Batches
// are only ever added at the end, so a replaced suffix stays in the file until its segment goes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "branch/storage/entry.h"
#include "branch/storage/sector.h"

namespace bank::storage {

// A place in the log: everything before it in older segments and in this one.
struct LogPlace {
  uint64_t segment = 0;
  uint64_t offset = 0;
  auto operator<=>(const LogPlace&) const = default;
};

struct SegmentHeader {
  uint64_t segment = 0;       // number, from 1; also the file's name
  uint64_t next_batch = 1;    // number of the first batch to come
  LogIndex next_index{1};     // one past the log's last entry when the segment was begun
  uint64_t previous_end = 0;  // offset at which the segment before it ends; 0 for none
  bool operator==(const SegmentHeader&) const = default;
};

enum class BatchKind : uint8_t { kEntries = 1, kReset = 2 };

struct BatchHeader {
  BatchKind kind = BatchKind::kEntries;
  uint64_t number = 0;  // consecutive over the whole log
  LogIndex first;       // of the entries; after a reset, of the next entry to come
  LogPlace synced;      // everything before it was durable when this batch was written
};

struct Batch {
  BatchHeader header;
  uint64_t offset = 0;  // in its file
  std::vector<Entry> entries;
};

struct SegmentContent {
  bool blank = false;  // its making was never finished: no header, no batch; nothing else is set
  SegmentHeader header;
  std::vector<Batch> batches;
  uint64_t end = 0;          // offset one past the last whole batch
  uint64_t touched_end = 0;  // offset one past the last sector that is not blank; > end: torn tail
};

inline constexpr uint64_t kBatchBytesMax = uint64_t{1} << 30;

// Appends the header's one sector.
void EncodeSegmentHeader(const Identity& identity, const SegmentHeader& header, std::string* out);

// Bytes in the file that a batch of these entries takes.
uint64_t BatchBytes(absl::Span<const Entry> entries);
// Appends the batch's sectors, to be written at `offset` of the segment that `seal` is for.
void EncodeBatch(const SectorSeal& seal, uint64_t offset, const BatchHeader& header,
                 absl::Span<const Entry> entries, std::string* out);

// Reads a segment file. DataLoss, naming `path` and offset, if any sector is damaged, a batch
// contradicts itself, or a batch that a later one calls durable is not whole.
absl::StatusOr<SegmentContent> DecodeSegment(const Identity& identity, uint64_t segment,
                                             std::string_view bytes, std::string_view path);

}  // namespace bank::storage
