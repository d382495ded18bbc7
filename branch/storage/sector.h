// Sectors: the unit in which a disk writes and a log file is checked.
//
// A log file is zeros, then written sector by sector over those zeros and never twice with other
// bytes. Each written sector says what it is and carries a checksum over its content and its place
// (bank, branch, segment, number). A power loss leaves each sector as it was before or after the
// write, so a sector that is neither blank nor sealed for its place was damaged. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "branch/storage/entry.h"
#include "common/bytes.h"
#include "common/crc32c.h"
#include "common/planted.h"

namespace bank::storage {

inline constexpr uint64_t kSectorBytes = 512;
inline constexpr uint64_t kSectorChecksumAt = kSectorBytes - 4;
inline constexpr uint64_t kSectorContentBytes = kSectorChecksumAt - 1;  // after the kind

enum class SectorKind : uint8_t {
  kBlank = 0,  // all zeros
  kSegmentHeader = 1,
  kBatchBegin = 2,
  kBatchRest = 3,
  kDamaged = 255,  // never written as such: neither blank nor sealed
};

constexpr uint64_t SectorsFor(uint64_t content_bytes) {
  return (content_bytes + kSectorContentBytes - 1) / kSectorContentBytes;
}

// Seals and checks the sectors of one segment of one branch's log.
class SectorSeal {
 public:
  SectorSeal(const Identity& identity, uint64_t segment) {
    std::string place;
    ByteWriter out(&place);
    out.U64(identity.bank);
    out.U64(identity.branch.value);
    out.U64(segment);
    base_ = Crc32c(place);
  }

  // `sector` is kSectorBytes long; `number` counts sectors from the file's begin.
  uint32_t Checksum(std::string_view sector, uint64_t number) const {
    char place[8];
    for (int i = 0; i < 8; ++i) place[i] = static_cast<char>(number >> (8 * i));
    return Crc32c(sector.substr(0, kSectorChecksumAt),
                  Crc32c(std::string_view(place, sizeof(place)), base_));
  }

  SectorKind Check(std::string_view sector, uint64_t number) const {
    static constexpr char kZeros[kSectorBytes] = {};
    if (sector == std::string_view(kZeros, sizeof(kZeros))) return SectorKind::kBlank;
    ByteReader tail(sector.substr(kSectorChecksumAt));
    const bool sealed = tail.U32() == Checksum(sector, number);
    if (!sealed && !IsPlanted(Planted::kChecksumUnchecked)) return SectorKind::kDamaged;
    const uint8_t kind = static_cast<uint8_t>(sector[0]);
    return kind >= 1 && kind <= 3 ? static_cast<SectorKind>(kind) : SectorKind::kDamaged;
  }

 private:
  uint32_t base_ = 0;
};

// Appends content to a buffer as sealed sectors, beginning at a given sector of the file.
class SectorWriter {
 public:
  SectorWriter(std::string* out, const SectorSeal& seal, uint64_t first_number)
      : out_(*out), seal_(seal), number_(first_number) {}

  void Begin(SectorKind kind) {
    out_.push_back(static_cast<char>(kind));
    used_ = 0;
  }
  // Continues in sectors of kind kBatchRest as they are needed.
  void Append(std::string_view bytes) {
    while (!bytes.empty()) {
      if (used_ == kSectorContentBytes) {
        Finish();
        Begin(SectorKind::kBatchRest);
      }
      const std::string_view part = bytes.substr(0, kSectorContentBytes - used_);
      out_.append(part);
      used_ += part.size();
      bytes.remove_prefix(part.size());
    }
  }
  // Fills the present sector with zeros and seals it.
  void Finish() {
    out_.append(kSectorContentBytes - used_, '\0');
    const std::string_view sector = std::string_view(out_).substr(out_.size() - kSectorChecksumAt);
    ByteWriter(&out_).U32(seal_.Checksum(sector, number_++));
  }

 private:
  std::string& out_;
  const SectorSeal& seal_;
  uint64_t number_;
  uint64_t used_ = 0;
};

}  // namespace bank::storage
