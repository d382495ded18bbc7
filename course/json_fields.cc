#include "course/json_fields.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/decimal.h"
#include "common/one_line.h"
#include "course/lenient_json.h"

namespace bank::script {
namespace {

absl::StatusOr<int64_t> TooLarge(const Json& value, int64_t max, const Place& place) {
  // What is beyond 64 bits is held rounded, and so it would be shown.
  const std::string shown = value.is_number_float() ? "the number" : Show(value);
  return place.Error(absl::StrCat(shown, " is larger than ", max));
}

// "[json.exception.parse_error.101] parse error at line 2, column 5: syntax error while ..." with
// the parts that mean nothing to who wrote the file left out.
std::string PlainParseError(absl::string_view what) {
  size_t start = what.find("] ");
  if (start != what.npos) what.remove_prefix(start + 2);
  start = what.find(": ");
  if (start != what.npos) what.remove_prefix(start + 2);
  return OneLine(absl::StrReplaceAll(what, {{"\n", " "}, {"<U+000A>", "end of line"}}));
}

// What the text is if it is not UTF-8, by its byte order mark, or by where the zeros of its first
// character are: that one is ASCII in every JSON. Windows' tools write such files. "": UTF-8.
std::string_view OtherEncoding(std::string_view text) {
  using std::literals::operator""sv;
  const auto zeros_at = [text](std::initializer_list<bool> zeros) {
    size_t i = 0;
    return text.size() >= zeros.size() && std::all_of(zeros.begin(), zeros.end(), [&](bool zero) {
             return (text[i++] == '\0') == zero;
           });
  };
  if (text.starts_with("\xFF\xFE\0\0"sv) || text.starts_with("\0\0\xFE\xFF"sv) ||
      zeros_at({false, true, true, true}) || zeros_at({true, true, true, false})) {
    return "UTF-32";
  }
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF") || zeros_at({false, true}) ||
      zeros_at({true, false})) {
    return "UTF-16";
  }
  return "";
}

}  // namespace

Place Place::In(const std::string& part) const { return Place{absl::StrCat(path, ", ", part)}; }

Place Place::Key(absl::string_view key) const { return In(absl::StrCat("key \"", key, "\"")); }

absl::Status Place::Error(const std::string& what) const {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

std::string Show(const Json& value) {
  constexpr size_t kShownBytesMax = 40;
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > kShownBytesMax) text = text.substr(0, kShownBytesMax) + "...";
  return text;
}

std::string Normalized(absl::string_view word) {
  std::string plain = absl::StrReplaceAll(word, {{"\xC2\xA0", " "}, {"_", "-"}});
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(plain));
}

absl::StatusOr<const Json*> Find(const Json& object, std::initializer_list<absl::string_view> names,
                                 const Place& place) {
  const Json* found = nullptr;
  for (const auto& item : object.items()) {
    const std::string key = Normalized(item.key());
    for (absl::string_view name : names) {
      if (key != name) continue;
      if (found != nullptr) {
        return place.Key(name).Error("it is there twice, or in two spellings");
      }
      found = &item.value();
    }
  }
  return found;
}

absl::StatusOr<const Json*> Require(const Json& object,
                                    std::initializer_list<absl::string_view> names,
                                    const Place& place) {
  absl::StatusOr<const Json*> found = Find(object, names, place);
  if (found.ok() && *found == nullptr) return place.Key(*names.begin()).Error("it is missing");
  return found;
}

absl::StatusOr<int64_t> Integer(const Json& value, int64_t min, int64_t max, const Place& place) {
  constexpr double kExactMax = 9007199254740992.0;  // 2^53: every integer below has a double
  int64_t number = 0;
  if (value.is_number_unsigned()) {
    if (value.get<uint64_t>() > static_cast<uint64_t>(max)) return TooLarge(value, max, place);
    number = static_cast<int64_t>(value.get<uint64_t>());
  } else if (value.is_number_integer()) {
    number = value.get<int64_t>();
  } else if (value.is_number_float()) {
    const double real = value.get<double>();
    if (std::trunc(real) != real) return place.Error(absl::StrCat(Show(value), " is no integer"));
    if (real >= static_cast<double>(max)) return TooLarge(value, max, place);
    if (real > kExactMax)
      return place.Error(absl::StrCat(Show(value), " is not exact; write digits"));
    if (real < 0) return place.Error(absl::StrCat(Show(value), " is negative"));
    number = static_cast<int64_t>(real);
  } else if (value.is_string()) {
    const std::string text = Normalized(value.get_ref<const std::string&>());
    const auto read = ParseDecimal<int64_t>(text);
    if (!read) {
      return place.Error(absl::StrCat(Show(value), " is no integer from ", min, " to ", max));
    }
    number = *read;
  } else {
    return place.Error(absl::StrCat(Show(value), " is no integer"));
  }
  if (number < 0) return place.Error(absl::StrCat(Show(value), " is negative"));
  if (number < min) return place.Error(absl::StrCat(Show(value), " is less than ", min));
  if (number > max) return TooLarge(value, max, place);
  return number;
}

absl::StatusOr<int64_t> RequiredInteger(const Json& object,
                                        std::initializer_list<absl::string_view> names, int64_t min,
                                        int64_t max, const Place& place) {
  absl::StatusOr<const Json*> value = Require(object, names, place);
  if (!value.ok()) return value.status();
  return Integer(**value, min, max, place.Key(*names.begin()));
}

absl::StatusOr<std::string> StrictText(const Place& file, std::string_view text) {
  if (const std::string_view encoding = OtherEncoding(text); !encoding.empty()) {
    return file.Error(absl::StrCat("its text is ", std::string(encoding), "; save it as UTF-8"));
  }
  absl::StatusOr<std::string> strict = ToStrictJson(text);
  if (!strict.ok()) return file.Error(std::string(strict.status().message()));
  if (absl::StripAsciiWhitespace(*strict).empty()) return file.Error("the file is empty");
  return strict;
}

absl::StatusOr<Json> ParseJson(const Place& file, const std::string& text) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    const size_t before = std::min(error.byte > 0 ? error.byte - 1 : 0, text.size());
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(before), '\n');
    return Place{absl::StrCat(file.path, ": line ", line)}.Error(
        absl::StrCat("not JSON: ", PlainParseError(error.what())));
  } catch (const Json::exception& error) {
    return file.Error(absl::StrCat("not JSON: ", PlainParseError(error.what())));
  }
}

}  // namespace bank::script
