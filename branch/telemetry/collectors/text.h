// Reads the tables of /proc: lines of fields between blanks. Pure; nothing is copied.
#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>

namespace bank::telemetry {

// Takes the next line off `text`, without its end. False: there is none.
inline bool TakeLine(std::string_view* text, std::string_view* line) {
  if (text->empty()) return false;
  const size_t end = text->find('\n');
  *line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return true;
}

// Takes the next field off `line`; empty: there is none.
inline std::string_view TakeField(std::string_view* line) {
  const size_t begin = line->find_first_not_of(" \t");
  if (begin == std::string_view::npos) {
    *line = {};
    return {};
  }
  line->remove_prefix(begin);
  const std::string_view field = line->substr(0, line->find_first_of(" \t"));
  line->remove_prefix(field.size());
  return field;
}

// All of `text` as a number; nothing if it is none.
template <class Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    return std::nullopt;
  }
  return value;
}

template <class Number>
std::optional<Number> TakeNumber(std::string_view* line) {
  return ParseNumber<Number>(TakeField(line));
}

inline void SkipFields(std::string_view* line, int count) {
  for (; count > 0; --count) TakeField(line);
}

}  // namespace bank::telemetry
