// The one reader of the numbers that people type: flags, environment, config files, addresses,
// inputs. Pure.
//
// A number is written in decimal, whole: digits, and '-' before them where a number below zero
// makes sense. A leading zero is refused, because C reads `010` as eight and people read it as ten;
// so are `0x10`, `+10`, `1e3`, blanks, and whatever does not fit its type. Nothing is clamped.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace bank {

// Empty: not such a number, or beyond the type's range.
template <std::integral Integer>
std::optional<Integer> ParseDecimal(std::string_view text,
                                    Integer min = std::numeric_limits<Integer>::min(),
                                    Integer max = std::numeric_limits<Integer>::max()) {
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.starts_with('0') && text.size() > 1) return std::nullopt;
  Integer number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || number < min || number > max) return std::nullopt;
  return number;
}

// True for digits alone, without a leading zero: a number, of whatever size.
bool IsDecimal(std::string_view text);

// True for such digits, or with a point and digits behind it ("0.25", "90"): seconds, for instance.
bool IsDecimalFraction(std::string_view text);

// Why a flag that wants a whole number from zero to `max` cannot take `text`; empty: it can.
std::string WhyNotDecimal(std::string_view text, uint64_t max);

}  // namespace bank
