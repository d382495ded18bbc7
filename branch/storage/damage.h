// How storage words what it found wrong with a file at rest.
#pragma once

#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include "absl/status/status.h"

namespace bank::storage {

// DataLoss. OpenStorage adds what to do about it.
inline absl::Status Damage(std::string_view path, uint64_t offset, std::string_view what) {
  return absl::DataLossError(fmt::format("{} at offset {}: {}", path, offset, what));
}

}  // namespace bank::storage
