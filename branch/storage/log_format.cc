#include "branch/storage/log_format.h"

#include <memory>
#include <optional>
#include <utility>

#include "branch/storage/damage.h"
#include "common/bytes.h"
#include "common/check.h"
#include "common/planted.h"

namespace bank::storage {
namespace {

constexpr std::string_view kSegmentMagic = "BANKLOG1";
constexpr uint64_t kBatchHeaderBytes = 41;
constexpr uint64_t kRecordHeaderBytes = 25;

std::string EncodeRecordHeader(LogIndex index, const Entry& entry) {
  std::string bytes;
  ByteWriter out(&bytes);
  out.U32(static_cast<uint32_t>(entry.payload->size()));
  out.U64(index.value);
  out.U64(entry.term.value);
  out.U8(static_cast<uint8_t>(entry.type));
  out.U32(Crc32c(*entry.payload, Crc32c(bytes)));
  return bytes;
}

uint64_t ContentBytes(absl::Span<const Entry> entries) {
  uint64_t bytes = kBatchHeaderBytes;
  for (const Entry& entry : entries) bytes += kRecordHeaderBytes + entry.payload->size();
  return bytes;
}

// Checks a record's place and checksum. Nothing: it contradicts itself or its batch.
std::optional<Entry> DecodeRecord(ByteReader& in, LogIndex index) {
  const std::string_view begin = in.rest();
  const uint32_t size = in.U32();
  const LogIndex said{in.U64()};
  const Term term{in.U64()};
  const uint8_t type = in.U8();
  const uint32_t checksum = in.U32();
  const std::string_view payload = in.Raw(size);
  if (!in.ok() || said != index || type < 1 || type > 3) return std::nullopt;
  if (checksum != Crc32c(payload, Crc32c(begin.substr(0, kRecordHeaderBytes - 4))) &&
      !IsPlanted(Planted::kChecksumUnchecked)) {
    return std::nullopt;
  }
  return Entry{term, static_cast<EntryType>(type), std::make_shared<const std::string>(payload)};
}

// Walks over the sectors of one segment file.
class SegmentReader {
 public:
  SegmentReader(const Identity& identity, uint64_t segment, std::string_view bytes,
                std::string_view path)
      : seal_(identity, segment), segment_(segment), bytes_(bytes), path_(path) {
    sectors_ = (bytes.size() + kSectorBytes - 1) / kSectorBytes;
  }

  absl::StatusOr<SegmentContent> Read(const Identity& identity) {
    if (absl::Status checked = CheckSectors(); !checked.ok()) return checked;
    SegmentContent content;
    content.touched_end = touched_end_;
    if (touched_end_ == 0) {
      content.blank = true;
      return content;
    }
    if (absl::Status read = ReadHeader(identity, &content.header); !read.ok()) return read;
    content.end = kSectorBytes;
    while (true) {
      absl::StatusOr<std::optional<Batch>> batch = ReadBatch(content.end);
      if (!batch.ok()) return batch.status();
      if (!batch->has_value()) break;
      content.end = batch_end_;
      content.batches.push_back(std::move(**batch));
    }
    if (absl::Status told = CheckTail(content.end); !told.ok()) return told;
    return content;
  }

 private:
  std::string_view Sector(uint64_t number) const {
    return bytes_.substr(number * kSectorBytes, kSectorBytes);
  }
  SectorKind Kind(uint64_t number) const {
    return number < sectors_ ? kinds_[number] : SectorKind::kBlank;
  }

  absl::Status CheckSectors() {
    kinds_.reserve(sectors_);
    for (uint64_t n = 0; n < sectors_; ++n) {
      // A file's size is a multiple of the sector, unless somebody cut it.
      const SectorKind kind =
          Sector(n).size() == kSectorBytes ? seal_.Check(Sector(n), n) : SectorKind::kDamaged;
      if (kind == SectorKind::kDamaged ||
          ((n == 0) != (kind == SectorKind::kSegmentHeader) && kind != SectorKind::kBlank)) {
        return Damage(path_, n * kSectorBytes, "the checksum of this sector of the log is wrong");
      }
      if (kind != SectorKind::kBlank) touched_end_ = (n + 1) * kSectorBytes;
      kinds_.push_back(kind);
    }
    return absl::OkStatus();
  }

  absl::Status ReadHeader(const Identity& identity, SegmentHeader* header) {
    if (Kind(0) == SectorKind::kBlank) {
      return Damage(path_, 0, "the header of this log file is gone");
    }
    ByteReader in(Sector(0).substr(1, kSectorContentBytes));
    const std::string_view magic = in.Raw(kSegmentMagic.size());
    const uint64_t bank = in.U64();
    const BranchId branch{in.U64()};
    header->segment = in.U64();
    header->next_batch = in.U64();
    header->next_index = LogIndex(in.U64());
    header->previous_end = in.U64();
    if (magic != kSegmentMagic || bank != identity.bank || branch != identity.branch ||
        header->segment != segment_ || header->next_batch == 0 || header->next_index.value == 0) {
      return Damage(path_, 0, "this log file's header is not of this format, branch and file");
    }
    return absl::OkStatus();
  }

  // Nothing: there is no whole batch at `offset`. Sets batch_end_ otherwise.
  absl::StatusOr<std::optional<Batch>> ReadBatch(uint64_t offset) {
    const uint64_t first = offset / kSectorBytes;
    if (Kind(first) != SectorKind::kBatchBegin) return std::nullopt;
    ByteReader in(Sector(first).substr(1, kSectorContentBytes));
    const uint32_t record_bytes = in.U32();
    const uint64_t count = SectorsFor(kBatchHeaderBytes + record_bytes);
    content_.clear();
    for (uint64_t n = first; n < first + count; ++n) {
      if (n != first && Kind(n) != SectorKind::kBatchRest) return std::nullopt;
      content_.append(Sector(n).substr(1, kSectorContentBytes));
    }
    Batch batch;
    batch.offset = offset;
    ByteReader body(std::string_view(content_).substr(0, kBatchHeaderBytes + record_bytes));
    body.U32();
    const uint32_t entries = body.U32();
    batch.header = ReadBatchHeader(body);
    if (!MakesSense(batch.header, entries)) {
      return Damage(path_, offset, "the header of this batch of the log makes no sense");
    }
    for (uint32_t i = 0; i < entries; ++i) {
      std::optional<Entry> entry = DecodeRecord(body, batch.header.first.Plus(i));
      if (!entry) return Damage(path_, offset, "a record of this batch contradicts its checksum");
      batch.entries.push_back(*std::move(entry));
    }
    if (!body.done()) return Damage(path_, offset, "this batch of the log contradicts itself");
    batch_end_ = (first + count) * kSectorBytes;
    return batch;
  }

  // Nothing that this code writes is otherwise, checksum or not.
  static bool MakesSense(const BatchHeader& header, uint32_t entries) {
    switch (header.kind) {
      case BatchKind::kEntries:
        return header.first.value >= 1 && header.first.Plus(entries) > header.first;
      case BatchKind::kReset:
        return header.first.value >= 1 && entries == 0;
    }
    return false;
  }

  static BatchHeader ReadBatchHeader(ByteReader& in) {
    BatchHeader header;
    header.kind = static_cast<BatchKind>(in.U8());
    header.number = in.U64();
    header.first = LogIndex(in.U64());
    header.synced.segment = in.U64();
    header.synced.offset = in.U64();
    return header;
  }

  // What lies behind the last whole batch was never durable, unless a batch there knows better.
  absl::Status CheckTail(uint64_t end) {
    for (uint64_t n = end / kSectorBytes; n < sectors_; ++n) {
      if (Kind(n) != SectorKind::kBatchBegin) continue;
      ByteReader in(Sector(n).substr(1, kSectorContentBytes));
      in.U32();
      in.U32();
      if (ReadBatchHeader(in).synced > LogPlace{segment_, end}) {
        return Damage(path_, end, "an acknowledged batch of the log is not whole");
      }
    }
    return absl::OkStatus();
  }

  const SectorSeal seal_;
  const uint64_t segment_;
  const std::string_view bytes_;
  const std::string_view path_;
  uint64_t sectors_ = 0;
  std::vector<SectorKind> kinds_;
  uint64_t touched_end_ = 0;
  uint64_t batch_end_ = 0;
  std::string content_;  // of the batch being read
};

}  // namespace

void EncodeSegmentHeader(const Identity& identity, const SegmentHeader& header, std::string* out) {
  std::string content(kSegmentMagic);
  ByteWriter fields(&content);
  fields.U64(identity.bank);
  fields.U64(identity.branch.value);
  fields.U64(header.segment);
  fields.U64(header.next_batch);
  fields.U64(header.next_index.value);
  fields.U64(header.previous_end);
  const SectorSeal seal(identity, header.segment);
  SectorWriter sectors(out, seal, 0);
  sectors.Begin(SectorKind::kSegmentHeader);
  sectors.Append(content);
  sectors.Finish();
}

uint64_t BatchBytes(absl::Span<const Entry> entries) {
  return SectorsFor(ContentBytes(entries)) * kSectorBytes;
}

void EncodeBatch(const SectorSeal& seal, uint64_t offset, const BatchHeader& header,
                 absl::Span<const Entry> entries, std::string* out) {
  std::string fields;
  ByteWriter writer(&fields);
  writer.U32(static_cast<uint32_t>(ContentBytes(entries) - kBatchHeaderBytes));
  writer.U32(static_cast<uint32_t>(entries.size()));
  writer.U8(static_cast<uint8_t>(header.kind));
  writer.U64(header.number);
  writer.U64(header.first.value);
  writer.U64(header.synced.segment);
  writer.U64(header.synced.offset);
  BANK_CHECK(fields.size() == kBatchHeaderBytes) << fields.size();
  SectorWriter sectors(out, seal, offset / kSectorBytes);
  sectors.Begin(SectorKind::kBatchBegin);
  sectors.Append(fields);
  for (size_t i = 0; i < entries.size(); ++i) {
    sectors.Append(EncodeRecordHeader(header.first.Plus(i), entries[i]));
    sectors.Append(*entries[i].payload);
  }
  sectors.Finish();
}

absl::StatusOr<SegmentContent> DecodeSegment(const Identity& identity, uint64_t segment,
                                             std::string_view bytes, std::string_view path) {
  return SegmentReader(identity, segment, bytes, path).Read(identity);
}

}  // namespace bank::storage
