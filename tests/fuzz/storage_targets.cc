#include <algorithm>

#include "branch/storage/dual_copy_file.h"
#include "branch/storage/file_name.h"
#include "branch/storage/folder.h"
#include "branch/storage/log_format.h"
#include "branch/storage/snapshot_file.h"
#include "common/bytes.h"
#include "common/check.h"
#include "common/crc32c.h"
#include "tests/fuzz/target.h"
#include "tests/support/sim_file_system.h"
#include "tests/support/storage_text.h"

namespace bank::fuzz {
namespace {

using namespace storage;
using Image = sim::SimFileSystem::Image;

constexpr std::string_view kVotePurpose = "BANKVOT1";
constexpr std::string_view kMarkPurpose = "BANKMRK1";

std::string PathOf(std::string_view name) { return fmt::format("{}/{}", kFolder, name); }

absl::StatusOr<OpenedStorage> Open(sim::SimFileSystem& fs, OnDamage on_damage) {
  return OpenStorage(fs, kFolder, kIdentity, kSmall, on_damage);
}

const Image& NewFolder() {
  static const Image image = [] {
    sim::SimFileSystem fs(1);
    BANK_CHECK(Open(fs, OnDamage::kRefuse).ok());
    return fs.Cached();
  }();
  return image;
}

absl::Status SaveSnapshotFile(sim::SimFileSystem& fs, const Snapshot& snapshot) {
  absl::Status written =
      WriteSnapshotFile(fs, kFolder, SnapshotOrigin::kTaken, kIdentity, snapshot);
  if (!written.ok()) return written;
  return NameSnapshotFile(fs, kFolder, SnapshotOrigin::kTaken, snapshot.index);
}

void CheckDamage(const absl::Status& refusal) {
  BANK_CHECK(absl::IsDataLoss(refusal)) << refusal;
  CheckRefusal(refusal, kFolder + "/");
  BANK_CHECK(refusal.message().find(" at offset ") != refusal.message().npos) << refusal;
}

// --- Segments: sectors with their checksums set right, or no mutation would get past these
// --------

// What a fuzzed segment is made of: a tag, then ...
enum class Part : uint8_t {
  kSector = 0,   // its kind, and its content: a string, filled up with zeros
  kBlank = 1,    // nothing
  kRaw = 2,      // a string: bytes as they are
  kSegment = 3,  // a varint: the number of the segment that begins here
  kMark = 4,     // a string: the record
  kVote = 5,     // likewise
  kSnapshot = 6  // varints: index, term, configuration's index; strings: configuration, state
};

// Appends to `segment`. False if `tag` is no part of a segment.
bool ReadSegmentPart(Part tag, ByteReader& in, uint64_t number, std::string* segment) {
  switch (tag) {
    case Part::kSector: {
      const auto kind = static_cast<SectorKind>(in.U8());
      const SectorSeal seal(kIdentity, number);
      SectorWriter sectors(segment, seal, segment->size() / kSectorBytes);
      sectors.Begin(kind);
      sectors.Append(in.String().substr(0, kSectorContentBytes));
      sectors.Finish();
      return true;
    }
    case Part::kBlank:
      segment->append(kSectorBytes, '\0');
      return true;
    case Part::kRaw:
      *segment += in.String();
      return true;
    default:
      return false;
  }
}

void WriteSegmentParts(std::string_view segment, std::string* out) {
  ByteWriter writer(out);
  while (segment.find_first_not_of('\0') != segment.npos) {
    std::string_view content = segment.substr(1, kSectorContentBytes);
    content = content.substr(0, content.find_last_not_of('\0') + 1);
    writer.U8(static_cast<uint8_t>(Part::kSector));
    writer.U8(static_cast<uint8_t>(segment[0]));
    writer.String(content);
    segment.remove_prefix(kSectorBytes);
  }
}

std::string Text(const SegmentContent& content) {
  std::string text = fmt::format("{} {} {} {}", content.header.segment, content.header.next_batch,
                                 content.header.next_index.value, content.header.previous_end);
  for (const Batch& batch : content.batches) {
    text += fmt::format("\n{} at {}: kind {} first {} synced {} {}:", batch.header.number,
                        batch.offset, static_cast<int>(batch.header.kind), batch.header.first.value,
                        batch.header.synced.segment, batch.header.synced.offset);
    for (const Entry& entry : batch.entries) text += " " + storage::Text(entry);
  }
  return text;
}

// What is read from a segment is what was written, were it written again.
void RunSegment(std::string_view bytes) {
  std::string segment;
  ByteReader in(bytes);
  while (!in.rest().empty() && in.ok()) {
    if (!ReadSegmentPart(static_cast<Part>(in.U8()), in, 1, &segment)) return;
  }
  const std::string path = PathOf(SegmentName(1));
  const absl::StatusOr<SegmentContent> content = DecodeSegment(kIdentity, 1, segment, path);
  if (!content.ok()) return CheckDamage(content.status());
  if (content->blank) return;
  const SectorSeal seal(kIdentity, 1);
  std::string again;
  EncodeSegmentHeader(kIdentity, content->header, &again);
  for (const Batch& batch : content->batches) {
    EncodeBatch(seal, again.size(), batch.header, batch.entries, &again);
  }
  BANK_CHECK(again.size() == content->end) << again.size() << " " << content->end;
  const absl::StatusOr<SegmentContent> reread = DecodeSegment(kIdentity, 1, again, path);
  BANK_CHECK(reread.ok()) << reread.status();
  BANK_CHECK(Text(*content) == Text(*reread)) << Text(*content) << "\n" << Text(*reread);
}

// --- Folders: log, mark, vote and snapshots together
// ----------------------------------------------

// False if the input is not made of parts.
bool ReadFolder(std::string_view bytes, Image* image) {
  sim::SimFileSystem fs(1, NewFolder());
  std::map<uint64_t, std::string> segments;
  std::string* segment = nullptr;
  uint64_t number = 0;
  ByteReader in(bytes);
  while (!in.rest().empty()) {
    const auto tag = static_cast<Part>(in.U8());
    if (tag == Part::kSegment) {
      number = in.Varint();
      segment = &segments[number];
    } else if (tag == Part::kMark || tag == Part::kVote) {
      const bool vote = tag == Part::kVote;
      const std::string_view record = in.String().substr(0, kDualCopyRecordBytesMax);
      const absl::Status made = DualCopyFile(fs, PathOf(vote ? kVoteName : kMarkName), kIdentity,
                                             vote ? kVotePurpose : kMarkPurpose)
                                    .Create(record);
      BANK_CHECK(made.ok()) << made;
    } else if (tag == Part::kSnapshot) {
      Snapshot snapshot{LogIndex(in.Varint()), Term(in.Varint()), LogIndex(in.Varint()), "", {}};
      snapshot.configuration = std::string(in.String());
      snapshot.state = std::make_shared<const std::string>(in.String());
      const absl::Status saved = SaveSnapshotFile(fs, snapshot);
      BANK_CHECK(saved.ok()) << saved;
    } else if (segment == nullptr || !ReadSegmentPart(tag, in, number, segment)) {
      return false;
    }
    if (!in.ok()) return false;
  }
  *image = fs.Cached();
  if (!segments.empty()) image->erase(PathOf(SegmentName(1)));
  for (auto& [n, content] : segments) (*image)[PathOf(SegmentName(n))] = std::move(content);
  return true;
}

std::string WriteFolder(const Image& image) {
  std::string bytes;
  ByteWriter out(&bytes);
  sim::SimFileSystem fs(1, image);
  for (const bool vote : {false, true}) {
    std::vector<std::string> notes;
    const absl::StatusOr<std::string> record =
        DualCopyFile(fs, PathOf(vote ? kVoteName : kMarkName), kIdentity,
                     vote ? kVotePurpose : kMarkPurpose)
            .Load(&notes);
    BANK_CHECK(record.ok()) << record.status();
    out.U8(static_cast<uint8_t>(vote ? Part::kVote : Part::kMark));
    out.String(*record);
  }
  for (const auto& [path, content] : image) {
    const std::string name = path.substr(kFolder.size() + 1);
    if (const uint64_t number = ParseSegmentName(name); number != 0) {
      out.U8(static_cast<uint8_t>(Part::kSegment));
      out.Varint(number);
      WriteSegmentParts(content, &bytes);
    } else if (const auto index = ParseSnapshotName(name)) {
      const absl::StatusOr<Snapshot> snapshot = LoadSnapshotFile(fs, kFolder, kIdentity, *index);
      BANK_CHECK(snapshot.ok()) << snapshot.status();
      out.U8(static_cast<uint8_t>(Part::kSnapshot));
      out.Varint(index->value);
      out.Varint(snapshot->term.value);
      out.Varint(snapshot->configuration_index.value);
      out.String(snapshot->configuration);
      out.String(*snapshot->state);
    }
  }
  return bytes;
}

// Refused with file and offset, and then --rebuild works; or taken, and then the same after a
// crash, and it goes on.
void CheckFolder(const Image& image) {
  sim::SimFileSystem fs(1, image);
  std::string found;
  {
    const absl::StatusOr<OpenedStorage> opened = Open(fs, OnDamage::kRefuse);
    if (!opened.ok()) {
      CheckDamage(opened.status());
      const absl::StatusOr<OpenedStorage> rebuilt = Open(fs, OnDamage::kRebuild);
      BANK_CHECK(rebuilt.ok()) << rebuilt.status();
      BANK_CHECK(rebuilt->recovered.rebuilding);
      return;
    }
    found = storage::Text(opened->recovered);
  }
  fs.PowerLoss();
  LogIndex next;
  {
    const absl::StatusOr<OpenedStorage> opened = Open(fs, OnDamage::kRefuse);
    BANK_CHECK(opened.ok()) << opened.status();
    const Recovered& recovered = opened->recovered;
    BANK_CHECK(storage::Text(recovered) == found) << storage::Text(recovered) << "\n" << found;
    next = recovered.first_index.Plus(recovered.entries.size());
    const std::vector<Entry> more = {MakeEntry(3, "more")};
    const absl::Status appended = opened->storage->Append(next, more);
    BANK_CHECK(appended.ok()) << appended << " after " << found;
    BANK_CHECK(opened->storage->Sync().ok());
  }
  fs.PowerLoss();
  const absl::StatusOr<OpenedStorage> opened = Open(fs, OnDamage::kRefuse);
  BANK_CHECK(opened.ok()) << opened.status() << " after " << found;
  BANK_CHECK(!opened->recovered.entries.empty());
  BANK_CHECK(storage::Text(opened->recovered.entries.back()) == "3/1/more");
  BANK_CHECK(opened->recovered.first_index.Plus(opened->recovered.entries.size()) == next.Next());
}

void RunFolder(std::string_view bytes) {
  Image image;
  if (ReadFolder(bytes, &image)) CheckFolder(image);
}

// --- Single files
// -----------------------------------------------------------------------------------

// The identity file, its checksum set right.
void RunIdentity(std::string_view body) {
  Image image = NewFolder();
  std::string bytes(body);
  ByteWriter(&bytes).U32(Crc32c(body));
  image[PathOf(kIdentityName)] = bytes;
  sim::SimFileSystem fs(1, image);
  const absl::StatusOr<OpenedStorage> opened = Open(fs, OnDamage::kRefuse);
  if (opened.ok()) {
    BANK_CHECK(bytes == NewFolder().at(PathOf(kIdentityName))) << "two encodings of one identity";
  } else if (absl::IsFailedPrecondition(opened.status())) {
    CheckRefusal(opened.status(), "data folder " + kFolder + " belongs to branch ");
  } else {
    CheckDamage(opened.status());
  }
}

// A snapshot file; its first byte says which checksums are set right. It is loaded under the index
// it names.
void RunSnapshotFile(std::string_view input) {
  constexpr size_t kHeaderBytes = 76;  // docs/FORMATS.md
  if (input.empty()) return;
  const auto right = static_cast<uint8_t>(input[0]);
  std::string bytes(input.substr(1));
  LogIndex index{1};
  if (bytes.size() >= kHeaderBytes) {
    const auto put = [&](size_t at, uint32_t value) {
      std::string four;
      ByteWriter(&four).U32(value);
      bytes.replace(at, 4, four);
    };
    ByteReader in(bytes);
    in.Raw(24);
    index = LogIndex(in.U64());
    in.Raw(16);
    const uint64_t configuration_bytes = std::min<uint64_t>(in.U64(), bytes.size() - kHeaderBytes);
    const std::string_view rest = std::string_view(bytes).substr(kHeaderBytes);
    const uint32_t configuration = Crc32c(rest.substr(0, configuration_bytes));
    const uint32_t state = Crc32c(rest.substr(configuration_bytes));
    if ((right & 1) != 0) put(64, configuration);
    if ((right & 2) != 0) put(68, state);
    if ((right & 4) != 0) put(72, Crc32c(std::string_view(bytes).substr(0, 72)));
  }
  const std::string path = PathOf(SnapshotName(index));
  sim::SimFileSystem fs(1, {{path, bytes}});
  const absl::StatusOr<Snapshot> snapshot = LoadSnapshotFile(fs, kFolder, kIdentity, index);
  if (!snapshot.ok()) return CheckDamage(snapshot.status());
  BANK_CHECK(SaveSnapshotFile(fs, *snapshot).ok());
  BANK_CHECK(fs.Content(path) == bytes) << "two encodings of one snapshot";
}

// A vote file, both copies as they are.
void RunVote(std::string_view bytes) {
  Image image = NewFolder();
  image[PathOf(kVoteName)] = std::string(bytes);
  CheckFolder(image);
}

// --- Seeds
// ------------------------------------------------------------------------------------------

// A folder with a vote, a snapshot, several segments and a replaced suffix.
Image UsedFolder() {
  sim::SimFileSystem fs(1);
  absl::StatusOr<OpenedStorage> opened = Open(fs, OnDamage::kRefuse);
  BANK_CHECK(opened.ok()) << opened.status();
  Storage& storage = *opened->storage;
  BANK_CHECK(storage.WriteHardState({Term(2), BranchId(3)}).ok());
  for (uint64_t i = 1; i <= 10; ++i) {
    BANK_CHECK(storage.Append(LogIndex(i), {MakeEntry(1, std::string(20 * i, 'p'))}).ok());
    BANK_CHECK(storage.Sync().ok());
  }
  BANK_CHECK(PrepareAndSave(storage, MakeSnapshot(8, 1, "state")).ok());
  BANK_CHECK(storage.TrimPrefix(LogIndex(7)).ok());
  const std::vector<Entry> entries = {MakeEntry(2, "replaced"), MakeEntry(2, "last")};
  BANK_CHECK(storage.Append(LogIndex(9), entries).ok());
  BANK_CHECK(storage.Sync().ok());
  return fs.Cached();
}

// After a snapshot from the leader.
Image FilledFolder() {
  sim::SimFileSystem fs(1);
  const absl::StatusOr<OpenedStorage> opened = Open(fs, OnDamage::kRebuild);
  BANK_CHECK(opened.ok()) << opened.status();
  BANK_CHECK(opened->storage->InstallSnapshot(MakeSnapshot(30, 2, "state")).ok());
  BANK_CHECK(opened->storage->Append(LogIndex(31), {MakeEntry(2, "next")}).ok());
  BANK_CHECK(opened->storage->Sync().ok());
  return fs.Cached();
}

std::vector<std::string> FolderSeeds() {
  return {WriteFolder(NewFolder()), WriteFolder(UsedFolder()), WriteFolder(FilledFolder())};
}

std::vector<std::string> SegmentSeeds() {
  std::string segment;
  EncodeSegmentHeader(kIdentity, {1, 1, LogIndex(1), 0}, &segment);
  const SectorSeal seal(kIdentity, 1);
  const std::vector<Entry> entries = {MakeEntry(1, std::string(600, 'p')),
                                      MakeEntry(2, "", EntryType::kBarrier)};
  EncodeBatch(seal, segment.size(), {BatchKind::kEntries, 1, LogIndex(1), {1, 512}}, entries,
              &segment);
  EncodeBatch(seal, segment.size(), {BatchKind::kReset, 2, LogIndex(40), {1, 512}}, {}, &segment);
  std::string bytes;
  WriteSegmentParts(segment, &bytes);
  return {bytes};
}

std::vector<std::string> IdentitySeeds() {
  const std::string& bytes = NewFolder().at(PathOf(kIdentityName));
  return {bytes.substr(0, bytes.size() - 4)};
}

std::vector<std::string> SnapshotFileSeeds() {
  return {"\x07" + UsedFolder().at(PathOf(SnapshotName(LogIndex(8))))};
}

std::vector<std::string> VoteSeeds() { return {UsedFolder().at(PathOf(kVoteName))}; }

constexpr FuzzTarget kTargets[] = {{"storage_folder", RunFolder, FolderSeeds},
                                   {"storage_identity", RunIdentity, IdentitySeeds},
                                   {"storage_segment", RunSegment, SegmentSeeds},
                                   {"storage_snapshot", RunSnapshotFile, SnapshotFileSeeds},
                                   {"storage_vote", RunVote, VoteSeeds}};

}  // namespace

std::span<const FuzzTarget> StorageTargets() { return kTargets; }

}  // namespace bank::fuzz
