// A 64-bit digest or number as people see it.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace bank {

// 16 hex digits, lower case.
inline std::string HexDigits(uint64_t value) { return fmt::format("{:016x}", value); }

}  // namespace bank
