#include "branch/storage/snapshot_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "branch/storage/damage.h"
#include "branch/storage/file_name.h"
#include "common/bytes.h"
#include "common/crc32c.h"

namespace bank::storage {
namespace {

constexpr std::string_view kSnapshotMagic = "BANKSNP1";
constexpr std::string_view kPrefix = "snapshot-";
constexpr uint64_t kHeaderBytes = 76;
constexpr uint64_t kPieceBytes = 1 << 20;  // between two syncs

std::string EncodeHeader(const Identity& identity, const Snapshot& snapshot) {
  std::string bytes(kSnapshotMagic);
  ByteWriter out(&bytes);
  out.U64(identity.bank);
  out.U64(identity.branch.value);
  out.U64(snapshot.index.value);
  out.U64(snapshot.term.value);
  out.U64(snapshot.configuration_index.value);
  out.U64(snapshot.configuration.size());
  out.U64(snapshot.state->size());
  out.U32(Crc32c(snapshot.configuration));
  out.U32(Crc32c(*snapshot.state));
  out.U32(Crc32c(bytes));
  return bytes;
}

std::string TemporaryPath(const std::string& folder, SnapshotOrigin origin) {
  return fmt::format("{}/{}", folder,
                     origin == SnapshotOrigin::kTaken ? "snapshot.tmp" : "received.tmp");
}

}  // namespace

std::string SnapshotName(LogIndex index) { return NumberedName(kPrefix, index.value); }

std::optional<LogIndex> ParseSnapshotName(std::string_view name) {
  const std::optional<uint64_t> number = ParseNumberedName(kPrefix, name);
  if (!number) return std::nullopt;
  return LogIndex(*number);
}

absl::Status WriteSnapshotFile(FileSystem& fs, const std::string& folder, SnapshotOrigin origin,
                               const Identity& identity, const Snapshot& snapshot) {
  const std::string temporary = TemporaryPath(folder, origin);
  if (absl::Status removed = fs.Remove(temporary); !removed.ok() && !absl::IsNotFound(removed)) {
    return removed;
  }
  absl::StatusOr<std::unique_ptr<File>> file = fs.Open(temporary, /*create=*/true);
  if (!file.ok()) return file.status();
  std::string head = EncodeHeader(identity, snapshot);
  head += snapshot.configuration;
  if (absl::Status wrote = (*file)->WriteAt(0, head); !wrote.ok()) return wrote;
  const std::string_view state = *snapshot.state;
  for (uint64_t at = 0; at < state.size(); at += kPieceBytes) {
    absl::Status wrote = (*file)->WriteAt(head.size() + at, state.substr(at, kPieceBytes));
    if (wrote.ok()) wrote = (*file)->Sync();
    if (!wrote.ok()) return wrote;
  }
  return (*file)->Sync();
}

absl::Status NameSnapshotFile(FileSystem& fs, const std::string& folder, SnapshotOrigin origin,
                              LogIndex index) {
  const std::string path = fmt::format("{}/{}", folder, SnapshotName(index));
  absl::Status renamed = fs.Rename(TemporaryPath(folder, origin), path);
  return renamed.ok() ? fs.SyncDirectory(folder) : renamed;
}

absl::StatusOr<Snapshot> LoadSnapshotFile(FileSystem& fs, const std::string& folder,
                                          const Identity& identity, LogIndex index) {
  const std::string path = fmt::format("{}/{}", folder, SnapshotName(index));
  const absl::StatusOr<std::string> bytes = fs.ReadAll(path);
  if (!bytes.ok()) return bytes.status();
  ByteReader in(*bytes);
  const std::string_view magic = in.Raw(kSnapshotMagic.size());
  const Identity owner{in.U64(), BranchId(in.U64())};
  Snapshot snapshot;
  snapshot.index = LogIndex(in.U64());
  snapshot.term = Term(in.U64());
  snapshot.configuration_index = LogIndex(in.U64());
  const uint64_t configuration_bytes = in.U64();
  const uint64_t state_bytes = in.U64();
  const uint32_t configuration_checksum = in.U32();
  const uint32_t state_checksum = in.U32();
  const uint32_t header_checksum = in.U32();
  if (!in.ok() || magic != kSnapshotMagic ||
      header_checksum != Crc32c(std::string_view(*bytes).substr(0, kHeaderBytes - 4))) {
    return Damage(path, 0, "the header of this snapshot is damaged");
  }
  if (owner != identity || snapshot.index != index) {
    return Damage(path, 0, "this snapshot is of another branch or index");
  }
  snapshot.configuration = std::string(in.Raw(configuration_bytes));
  if (!in.ok() || configuration_checksum != Crc32c(snapshot.configuration)) {
    return Damage(path, kHeaderBytes, "the configuration in this snapshot is damaged");
  }
  const std::string_view state = in.Raw(state_bytes);
  if (!in.done() || state_checksum != Crc32c(state)) {
    return Damage(path, kHeaderBytes + configuration_bytes,
                  "the ledger's state in this snapshot is damaged");
  }
  snapshot.state = std::make_shared<const std::string>(state);
  return snapshot;
}

}  // namespace bank::storage
