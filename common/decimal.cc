#include "common/decimal.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/one_line.h"

namespace bank {
namespace {

bool AreDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool IsDecimal(std::string_view text) {
  return AreDigits(text) && (text.size() == 1 || text.front() != '0');
}

bool IsDecimalFraction(std::string_view text) {
  const size_t point = text.find('.');
  return IsDecimal(text.substr(0, point)) &&
         (point == std::string_view::npos || AreDigits(text.substr(point + 1)));
}

std::string WhyNotDecimal(std::string_view text, uint64_t max) {
  if (!IsDecimal(text)) {
    return fmt::format("'{}' is not a whole number: write it in digits, without a leading zero",
                       OneLine(text, 40));
  }
  if (ParseDecimal<uint64_t>(text, 0, max)) return "";
  return fmt::format("'{}' is larger than {}", OneLine(text, 40), max);
}

}  // namespace bank
