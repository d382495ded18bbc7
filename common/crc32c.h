// CRC32C (Castagnoli, RFC 3720 appendix B.4), by the processor's instruction where it has one.
#pragma once

#include <cstdint>
#include <string_view>

namespace bank {

// The checksum of `bytes` appended to what `crc` (0 to begin) was computed over.
uint32_t Crc32c(std::string_view bytes, uint32_t crc = 0);

}  // namespace bank
