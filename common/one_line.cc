#include "common/one_line.h"

#include <fmt/format.h>

#include <cstdint>

namespace bank {
namespace {

// The length of the character that `text` begins with; 0 if these bytes are none.
size_t CharacterBytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Longer than need be, a surrogate, or beyond the last one.
  if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) >= 0xa0) ||
      (lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) >= 0x90)) {
    return 0;
  }
  return size;
}

bool IsControl(std::string_view character) {
  const auto lead = static_cast<uint8_t>(character[0]);
  if (lead < 0x20 || lead == 0x7f) return true;
  // C1 controls, the two separators that end a line, and what turns the order of a line around.
  return (lead == 0xc2 && static_cast<uint8_t>(character[1]) < 0xa0) ||
         (character >= "\xe2\x80\xa8" && character <= "\xe2\x80\xae") ||
         (character >= "\xe2\x81\xa6" && character <= "\xe2\x81\xa9");
}

}  // namespace

std::string OneLine(std::string_view text, size_t bytes_max) {
  static constexpr std::string_view kCut = "...";
  std::string line;
  size_t fits = 0;  // so much of `line` leaves room for kCut
  while (!text.empty()) {
    const size_t size = CharacterBytes(text);
    const std::string_view character = text.substr(0, size == 0 ? 1 : size);
    if (size != 0 && !IsControl(character)) {
      line += character;
    } else {
      for (const char c : character) line += fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
    }
    if (line.size() > bytes_max) return line.substr(0, fits).append(kCut);
    if (line.size() + kCut.size() <= bytes_max) fits = line.size();
    text.remove_prefix(character.size());
  }
  return line;
}

}  // namespace bank
