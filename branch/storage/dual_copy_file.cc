#include "branch/storage/dual_copy_file.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "branch/storage/damage.h"
#include "branch/storage/sector.h"
#include "common/bytes.h"
#include "common/check.h"
#include "common/crc32c.h"

namespace bank::storage {
namespace {

// Far enough apart to lie in different physical sectors of any disk.
constexpr uint64_t kCopyStride = 4096;
constexpr int kCopies = 2;

std::string Place(const Identity& identity, std::string_view purpose) {
  std::string place(purpose);
  ByteWriter out(&place);
  out.U64(identity.bank);
  out.U64(identity.branch.value);
  return place;
}

}  // namespace

DualCopyFile::DualCopyFile(FileSystem& fs, std::string path, const Identity& identity,
                           std::string_view purpose)
    : fs_(fs), path_(std::move(path)), place_(Place(identity, purpose)) {}

uint32_t DualCopyFile::Checksum(int copy, std::string_view sector) const {
  const char number = static_cast<char>(copy);
  return Crc32c(sector.substr(0, kSectorChecksumAt),
                Crc32c(std::string_view(&number, 1), Crc32c(place_)));
}

std::string DualCopyFile::EncodeCopy(int copy, std::string_view record) const {
  BANK_CHECK(record.size() <= kDualCopyRecordBytesMax) << record.size();
  std::string sector = place_;
  ByteWriter out(&sector);
  out.U64(version_);
  out.U32(static_cast<uint32_t>(record.size()));
  out.Raw(record);
  sector.resize(kSectorChecksumAt);
  out.U32(Checksum(copy, sector));
  return sector;
}

absl::Status DualCopyFile::WriteCopy(int copy, std::string_view record) {
  return file_->WriteAt(static_cast<uint64_t>(copy) * kCopyStride, EncodeCopy(copy, record));
}

absl::Status DualCopyFile::Create(std::string_view record) {
  absl::StatusOr<std::unique_ptr<File>> file = fs_.Open(path_, /*create=*/true);
  if (!file.ok()) return file.status();
  file_ = *std::move(file);
  version_ = 0;
  return Write(record);
}

absl::Status DualCopyFile::Write(std::string_view record) {
  ++version_;
  for (int copy = 0; copy < kCopies; ++copy) {
    if (absl::Status wrote = WriteCopy(copy, record); !wrote.ok()) return wrote;
    if (absl::Status synced = file_->Sync(); !synced.ok()) return synced;
  }
  return absl::OkStatus();
}

absl::Status DualCopyFile::WriteLazily(std::string_view record) {
  ++version_;
  // In turns: the copy before this one stays whole.
  return WriteCopy(static_cast<int>(version_ % kCopies), record);
}

absl::StatusOr<std::string> DualCopyFile::Load(std::vector<std::string>* notes) {
  absl::StatusOr<std::string> bytes = fs_.ReadAll(path_);
  if (absl::IsNotFound(bytes.status())) return Damage(path_, 0, "the file is missing");
  if (!bytes.ok()) return bytes.status();
  bytes->resize(kCopyStride * (kCopies - 1) + kSectorBytes);
  std::optional<std::string> newest;
  std::vector<std::string> damaged;
  for (int copy = 0; copy < kCopies; ++copy) {
    const uint64_t offset = static_cast<uint64_t>(copy) * kCopyStride;
    const std::string_view sector = std::string_view(*bytes).substr(offset, kSectorBytes);
    ByteReader in(sector);
    const bool ours = in.Raw(place_.size()) == place_;
    const uint64_t version = in.U64();
    const std::string_view record = in.Raw(in.U32());
    ByteReader tail(sector.substr(kSectorChecksumAt));
    if (!ours || !in.ok() || record.size() > kDualCopyRecordBytesMax ||
        tail.U32() != Checksum(copy, sector)) {
      damaged.push_back(fmt::format(
          "{} at offset {}: one of two copies is damaged; the other was used", path_, offset));
    } else if (!newest || version > version_) {
      newest = std::string(record);
      version_ = version;
    }
  }
  if (!newest) return Damage(path_, 0, "both copies are damaged");
  notes->insert(notes->end(), damaged.begin(), damaged.end());
  absl::StatusOr<std::unique_ptr<File>> file = fs_.Open(path_, /*create=*/false);
  if (!file.ok()) return file.status();
  file_ = *std::move(file);
  return *newest;
}

}  // namespace bank::storage
