// Numbered file names: a prefix and 20 digits, so that names sort like their numbers.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bank::storage {

inline std::string NumberedName(std::string_view prefix, uint64_t number) {
  return fmt::format("{}{:020}", prefix, number);
}

// Digits, with or without zeros before them.
inline std::optional<uint64_t> ParsePadded(std::string_view digits) {
  uint64_t number = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

// Nothing if `name` is not NumberedName(prefix, some number).
inline std::optional<uint64_t> ParseNumberedName(std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  const std::optional<uint64_t> number = ParsePadded(name.substr(prefix.size()));
  if (!number || NumberedName(prefix, *number) != name) return std::nullopt;
  return number;
}

}  // namespace bank::storage
