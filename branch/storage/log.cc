#include "branch/storage/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "branch/storage/damage.h"
#include "branch/storage/file_name.h"
#include "common/bytes.h"
#include "common/check.h"
#include "common/planted.h"

namespace bank::storage {
namespace {

constexpr std::string_view kSegmentPrefix = "log-";
// What a new segment begins with: small, so that many branches fit on one disk.
constexpr uint64_t kFirstZerosBytes = 64 << 10;

}  // namespace

std::string SegmentName(uint64_t segment) { return NumberedName(kSegmentPrefix, segment); }

uint64_t ParseSegmentName(std::string_view name) {
  return ParseNumberedName(kSegmentPrefix, name).value_or(0);
}

Log::Log(FileSystem& fs, std::string folder, const Identity& identity, const LogOptions& options)
    : fs_(fs),
      folder_(std::move(folder)),
      identity_(identity),
      options_(options),
      mark_file_(fs, fmt::format("{}/{}", folder_, kMarkName), identity, "BANKMRK1"),
      seal_(identity, 0) {}

std::string Log::PathOf(uint64_t segment) const {
  return fmt::format("{}/{}", folder_, SegmentName(segment));
}

std::string Log::EncodeMark(const Mark& mark) {
  std::string bytes;
  ByteWriter out(&bytes);
  out.U64(mark.first_segment);
  out.U64(mark.synced.segment);
  out.U64(mark.synced.offset);
  out.U64(mark.snapshot_index.value);
  return bytes;
}

absl::Status Log::LoadMark(std::vector<std::string>* notes) {
  const absl::StatusOr<std::string> record = mark_file_.Load(notes);
  if (!record.ok()) return record.status();
  ByteReader in(*record);
  mark_.first_segment = in.U64();
  mark_.synced.segment = in.U64();
  mark_.synced.offset = in.U64();
  mark_.snapshot_index = LogIndex(in.U64());
  if (!in.done()) {
    return Damage(fmt::format("{}/{}", folder_, kMarkName), 0, "the record is not of this format");
  }
  return absl::OkStatus();
}

absl::Status Log::Create() {
  mark_ = Mark();
  if (absl::Status made = mark_file_.Create(EncodeMark(mark_)); !made.ok()) return made;
  return BeginSegment(1);
}

absl::Status Log::BeginSegment(uint64_t number) {
  const SegmentHeader header{number, next_batch_, next_index_, end_};
  absl::StatusOr<std::unique_ptr<File>> file = fs_.Open(PathOf(number), /*create=*/true);
  if (!file.ok()) return file.status();
  buffer_.clear();
  EncodeSegmentHeader(identity_, header, &buffer_);
  buffer_.resize(std::max<uint64_t>(
      kSectorBytes, std::min({kFirstZerosBytes, options_.grow_bytes, options_.segment_bytes})));
  if (absl::Status wrote = (*file)->WriteAt(0, buffer_); !wrote.ok()) return wrote;
  if (absl::Status synced = (*file)->Sync(); !synced.ok()) return synced;
  if (absl::Status synced = fs_.SyncDirectory(folder_); !synced.ok()) return synced;
  file_ = *std::move(file);
  seal_ = SectorSeal(identity_, number);
  end_ = kSectorBytes;
  zeroed_to_ = buffer_.size();
  segments_.push_back({number, LogIndex(0)});
  // Durable before any batch is: the loss of a whole last segment is noticed, too.
  mark_.synced = {number, end_};
  return mark_file_.Write(EncodeMark(mark_));
}

absl::Status Log::Append(LogIndex first, absl::Span<const Entry> entries) {
  if (entries.empty()) return absl::OkStatus();
  if (first > next_index_ || first <= mark_.snapshot_index) {
    return absl::InvalidArgumentError(
        fmt::format("append at {} to a log that ends before {} with a snapshot at {}", first.value,
                    next_index_.value, mark_.snapshot_index.value));
  }
  if (absl::Status wrote = WriteBatch(BatchKind::kEntries, first, entries); !wrote.ok()) {
    return wrote;
  }
  ForgetFrom(first);
  next_index_ = first.Plus(entries.size());
  segments_.back().last_index = LogIndex(next_index_.value - 1);
  return absl::OkStatus();
}

absl::Status Log::Reset(LogIndex next) {
  if (absl::Status wrote = WriteBatch(BatchKind::kReset, next, {}); !wrote.ok()) return wrote;
  ForgetFrom(LogIndex(1));
  next_index_ = next;
  return Sync();
}

void Log::ForgetFrom(LogIndex first) {
  for (Segment& segment : segments_) {
    segment.last_index = std::min(segment.last_index, LogIndex(first.value - 1));
  }
}

absl::Status Log::WriteBatch(BatchKind kind, LogIndex first, absl::Span<const Entry> entries) {
  const uint64_t bytes = BatchBytes(entries);
  if (bytes > kBatchBytesMax) {
    return absl::InvalidArgumentError(fmt::format("a batch of {} bytes is too large", bytes));
  }
  if (end_ + bytes > options_.segment_bytes && end_ > kSectorBytes) {
    if (absl::Status synced = Sync(); !synced.ok()) return synced;
    if (absl::Status begun = BeginSegment(segments_.back().number + 1); !begun.ok()) return begun;
  }
  buffer_.clear();
  EncodeBatch(seal_, end_, {kind, next_batch_, first, mark_.synced}, entries, &buffer_);
  BANK_CHECK(buffer_.size() == bytes) << buffer_.size() << " " << bytes;
  const uint64_t new_end = end_ + bytes;
  if (new_end > zeroed_to_) {
    // Zeros ahead, in the same write: overwriting them later costs no metadata, which makes the
    // sync of a small batch twice as fast. The step grows with the file.
    const uint64_t step = std::min(zeroed_to_, options_.grow_bytes);
    const uint64_t target = std::min(new_end + step, std::max(new_end, options_.segment_bytes));
    zeroed_to_ = target / kSectorBytes * kSectorBytes;
    buffer_.resize(zeroed_to_ - end_);
  }
  if (absl::Status wrote = file_->WriteAt(end_, buffer_); !wrote.ok()) return wrote;
  end_ = new_end;
  ++next_batch_;
  return absl::OkStatus();
}

absl::Status Log::Sync() {
  const LogPlace place{segments_.back().number, end_};
  if (mark_.synced == place) return absl::OkStatus();
  if (absl::Status synced = file_->Sync(); !synced.ok()) return synced;
  mark_.synced = place;
  return mark_file_.WriteLazily(EncodeMark(mark_));
}

absl::Status Log::RequireSnapshot(LogIndex index) {
  mark_.snapshot_index = index;
  return mark_file_.Write(EncodeMark(mark_));
}

absl::Status Log::TrimPrefix(LogIndex first) {
  first = std::min(first, mark_.snapshot_index.Next());
  std::vector<uint64_t> unneeded;
  while (segments_.size() > 1 && segments_.front().last_index < first) {
    unneeded.push_back(segments_.front().number);
    segments_.pop_front();
  }
  if (unneeded.empty()) return absl::OkStatus();
  // What took entries of theirs out of the log must not be lost after them.
  if (absl::Status synced = Sync(); !synced.ok()) return synced;
  // From here on they are rubbish, whichever of their names a power loss brings back.
  mark_.first_segment = segments_.front().number;
  if (absl::Status wrote = mark_file_.Write(EncodeMark(mark_)); !wrote.ok()) return wrote;
  for (uint64_t segment : unneeded) {
    if (absl::Status removed = fs_.Remove(PathOf(segment)); !removed.ok()) return removed;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<uint64_t>> Log::ListSegments(
    const std::vector<std::string>& names) const {
  std::vector<uint64_t> numbers;
  for (const std::string& name : names) {
    const uint64_t number = ParseSegmentName(name);
    if (number != 0 && number >= mark_.first_segment) numbers.push_back(number);
  }
  const uint64_t last =
      std::max(mark_.synced.segment, numbers.empty() ? uint64_t{0} : numbers.back());
  for (uint64_t number = mark_.first_segment; number <= last; ++number) {
    if (!std::binary_search(numbers.begin(), numbers.end(), number)) {
      return Damage(PathOf(number), 0, "this file of the log is missing");
    }
  }
  return numbers;
}

absl::Status Log::Replay(std::vector<Batch> batches, const std::string& path, LoggedEntries* log) {
  for (Batch& batch : batches) {
    const LogIndex first = batch.header.first;
    const bool entries = batch.header.kind == BatchKind::kEntries;
    if (batch.header.number != next_batch_ || first.value == 0 ||
        (entries && first > log->NextIndex())) {
      return Damage(
          path, batch.offset,
          fmt::format("batch {} with entry {} does not continue the log at batch {}, entry {}",
                      batch.header.number, first.value, next_batch_, log->NextIndex().value));
    }
    ++next_batch_;
    if (!entries || first < log->first_index) {
      // Before first_index: the entries this one replaces were in segments that are gone.
      log->entries.clear();
      log->first_index = first;
    }
    log->entries.resize(first.value - log->first_index.value);
    std::move(batch.entries.begin(), batch.entries.end(), std::back_inserter(log->entries));
    ForgetFrom(entries ? first : LogIndex(1));
    if (entries) segments_.back().last_index = LogIndex(log->NextIndex().value - 1);
  }
  return absl::OkStatus();
}

absl::StatusOr<LoggedEntries> Log::Load(const std::vector<std::string>& names,
                                        std::vector<std::string>* notes) {
  if (absl::Status loaded = LoadMark(notes); !loaded.ok()) return loaded;
  const absl::StatusOr<std::vector<uint64_t>> numbers = ListSegments(names);
  if (!numbers.ok()) return numbers.status();

  LoggedEntries log;
  SegmentContent last;
  std::string last_bytes;
  for (const uint64_t number : *numbers) {
    const std::string path = PathOf(number);
    absl::StatusOr<std::string> bytes = fs_.ReadAll(path);
    if (!bytes.ok()) return bytes.status();
    absl::StatusOr<SegmentContent> content = DecodeSegment(identity_, number, *bytes, path);
    if (!content.ok()) return content.status();
    if (content->blank && number == numbers->back() && number > mark_.synced.segment) {
      // A power loss while it was being made: nothing was ever in it.
      if (absl::Status removed = fs_.Remove(path); !removed.ok()) return removed;
      break;
    }
    if (content->blank) return Damage(path, 0, "the header of this log file is gone");
    if (number == mark_.first_segment) {
      next_batch_ = content->header.next_batch;
      log.first_index = content->header.next_index;
    }
    // The segment before was durable up to its end before this one was made.
    const uint64_t previous_end =
        number == mark_.first_segment ? content->header.previous_end : last.end;
    if (content->header.previous_end != previous_end || content->header.next_batch != next_batch_ ||
        content->header.next_index != log.NextIndex() || last.touched_end > last.end) {
      return Damage(PathOf(number - 1), last.end,
                    fmt::format("this file of the log does not end where the next one, which "
                                "begins at batch {}, says it ends",
                                content->header.next_batch));
    }
    segments_.push_back({number, LogIndex(0)});
    last = *std::move(content);
    last_bytes = *std::move(bytes);
    if (absl::Status replayed = Replay(std::move(last.batches), path, &log); !replayed.ok()) {
      return replayed;
    }
  }
  if (segments_.empty()) {
    return Damage(PathOf(mark_.first_segment), 0, "the header of this log file is gone");
  }
  const LogPlace end{segments_.back().number, last.end};
  if (mark_.synced > end) {
    return Damage(
        PathOf(end.segment), end.offset,
        fmt::format("the log was acknowledged up to file {} offset {} but is not whole up to there",
                    mark_.synced.segment, mark_.synced.offset));
  }
  next_index_ = log.NextIndex();
  log.never_written = next_batch_ == 1;
  if (absl::Status repaired = Repair(last_bytes, last, notes); !repaired.ok()) return repaired;
  // Only now: the mark that calls them unneeded may have been in the page cache alone.
  for (const std::string& name : names) {
    const uint64_t number = ParseSegmentName(name);
    if (number == 0 || number >= mark_.first_segment) continue;
    if (absl::Status removed = fs_.Remove(PathOf(number)); !removed.ok()) return removed;
  }
  return log;
}

// Cuts a torn tail and makes what was read durable, the zeros behind it included: it may have been
// in the page cache only, and if a sync failed before, in a page that the kernel believes clean, so
// everything from the durable end to the file's end is written once more.
absl::Status Log::Repair(std::string_view bytes, const SegmentContent& content,
                         std::vector<std::string>* notes) {
  const uint64_t number = segments_.back().number;
  absl::StatusOr<std::unique_ptr<File>> file = fs_.Open(PathOf(number), /*create=*/false);
  if (!file.ok()) return file.status();
  file_ = *std::move(file);
  seal_ = SectorSeal(identity_, number);
  end_ = content.end;
  zeroed_to_ = bytes.size();
  if (content.touched_end > end_) {
    notes->push_back(fmt::format(
        "{} at offset {}: cut {} bytes of a write that was not finished or acknowledged",
        PathOf(number), end_, content.touched_end - end_));
  }
  const uint64_t durable = mark_.synced.segment == number ? mark_.synced.offset : 0;
  const uint64_t kept_end = IsPlanted(Planted::kTornTailKept) ? content.touched_end : end_;
  std::string rest(bytes.substr(durable, kept_end - durable));
  rest.resize(bytes.size() - durable);
  if (absl::Status wrote = file_->WriteAt(durable, rest); !wrote.ok()) return wrote;
  if (absl::Status synced = file_->Sync(); !synced.ok()) return synced;
  if (absl::Status synced = fs_.SyncDirectory(folder_); !synced.ok()) return synced;
  mark_.synced = {number, end_};
  return mark_file_.Write(EncodeMark(mark_));
}

}  // namespace bank::storage
