#include "checker/course/elements.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/decimal.h"

namespace bank::checker::course {
namespace {

using script::Json;

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Makes one array of all values of a text, whose strings are the standard's already. Keeps lines.
class Joiner {
 public:
  explicit Joiner(std::string_view text) : text_(text) {}

  std::string Run() {
    out_ = "[";
    while (at_ < text_.size()) Token();
    DropComma();
    return std::move(out_) + "]";
  }

 private:
  void Token() {
    const char c = text_[at_];
    if (IsBlank(c)) {
      out_ += text_[at_++];
    } else if (depth_ == 0 && std::string_view("{[}],").find(c) == std::string_view::npos) {
      PassOver();
    } else if (c == '"') {
      BeforeValue(c);
      String();
      last_ = '"';
    } else if (std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_') {
      BeforeValue('w');
      Word();
      last_ = 'w';
    } else if (c == '-' || std::isdigit(static_cast<unsigned char>(c)) != 0) {
      BeforeValue('1');
      while (at_ < text_.size() &&
             (IsWord(text_[at_]) || text_[at_] == '.' || text_[at_] == '-' || text_[at_] == '+')) {
        out_ += text_[at_++];
      }
      last_ = '1';
    } else {
      if (c == '{' || c == '[') {
        BeforeValue(c);
        ++depth_;
      }
      if (c == '}' || c == ']') {
        DropComma();
        if (depth_ > 0) --depth_;
      }
      if (c == ',' && last_ == ',') {  // one is enough
        ++at_;
        return;
      }
      if (c == ',') comma_ = out_.size();
      out_ += c;
      last_ = c;
      ++at_;
    }
  }

  // Headings and the like, between the values of the file.
  void PassOver() {
    if (text_[at_] != '"') {
      ++at_;
      return;
    }
    const size_t kept = out_.size();
    String();
    out_.resize(kept);
  }

  // A comma that somebody left out between two objects or arrays, or between one and a value.
  void BeforeValue(char next) {
    const bool after_value =
        last_ != '\0' && last_ != ',' && last_ != ':' && last_ != '{' && last_ != '[';
    const bool bracket = next == '{' || next == '[' || last_ == '}' || last_ == ']';
    if (after_value && bracket) out_ += ',';
  }

  void DropComma() {
    if (last_ == ',') out_[comma_] = ' ';
  }

  void String() {
    out_ += text_[at_++];
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\\' && at_ + 1 < text_.size()) out_ += text_[at_++];
      out_ += text_[at_++];
      if (c == '"') return;
    }
  }

  void Word() {
    const size_t begin = at_;
    while (at_ < text_.size() && (IsWord(text_[at_]) || text_[at_] == '-')) ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    if (word == "True" || word == "true") {
      out_ += "true";
    } else if (word == "False" || word == "false") {
      out_ += "false";
    } else if (word == "None" || word == "null") {
      out_ += "null";
    } else {
      absl::StrAppend(&out_, "\"", absl::string_view(word.data(), word.size()), "\"");
    }
  }

  const std::string_view text_;
  size_t at_ = 0;
  std::string out_;
  size_t depth_ = 0;
  size_t comma_ = 0;  // in out_: the last one
  char last_ = '\0';  // the last character that is no blank; 'w': a word
};

bool HoldsLists(const Json& object) {
  bool lists = false;
  for (const auto& item : object.items()) {
    if (!item.value().is_array()) return false;
    for (const Json& inner : item.value()) lists = lists || inner.is_object();
  }
  return lists;
}

// Objects that wrap others: {"customers": [...], "branches": [...]}, and {"1": [...answers...]},
// which names its customers by its keys.
void Flatten(Json value, std::vector<Json>* elements) {
  if (value.is_array()) {
    for (Json& inner : value) Flatten(std::move(inner), elements);
    return;
  }
  if (!value.is_object() || !HoldsLists(value)) {
    elements->push_back(std::move(value));
    return;
  }
  for (auto& item : value.items()) {
    const auto id = ParseDecimal<int64_t>(item.key());
    if (id) {
      elements->push_back({{"id", *id}, {"recv", std::move(item.value())}});
    } else {
      const std::string key = script::Normalized(item.key());
      const bool own = value.size() == 1 && (key == "recv" || key == "data" || key == "events");
      if (own) {
        elements->push_back({{item.key(), std::move(item.value())}});
      } else {
        Flatten(std::move(item.value()), elements);
      }
    }
  }
}

// The object that begins in a log line: "[PID 12] {'id': 1, ...}". "": none does.
std::string_view ObjectOf(std::string_view line) {
  const size_t begin = line.find('{');
  const size_t end = line.rfind('}');
  if (begin == line.npos || end == line.npos || end < begin) return {};
  return line.substr(begin, end + 1 - begin);
}

absl::StatusOr<std::vector<Json>> ReadValues(const script::Place& file, std::string_view text) {
  const absl::StatusOr<std::string> strict = script::StrictText(file, text);
  if (!strict.ok()) return strict.status();
  absl::StatusOr<Json> values = script::ParseJson(file, Joiner(*strict).Run());
  if (!values.ok()) return values.status();
  if (values->empty()) return file.Error("not JSON: there is no object and no array in it");
  std::vector<Json> elements;
  Flatten(*std::move(values), &elements);
  return elements;
}

// What a line of a log may hold that belongs to an output.
bool HasId(const Json& element) {
  return FieldOf(element, {"id", "pid", "eventid", "event-id"}) != nullptr;
}

}  // namespace

absl::StatusOr<std::vector<Json>> ReadElements(std::string_view name, std::string_view text) {
  const script::Place file{std::string(name)};
  absl::StatusOr<std::vector<Json>> elements = ReadValues(file, text);
  if (elements.ok()) return elements;
  std::vector<Json> logged;
  const absl::string_view whole(text.data(), text.size());
  for (const absl::string_view line : absl::StrSplit(whole, '\n')) {
    const std::string_view object = ObjectOf({line.data(), line.size()});
    if (object.empty()) continue;
    absl::StatusOr<std::vector<Json>> values = ReadValues(file, object);
    if (!values.ok() || !std::all_of(values->begin(), values->end(), HasId)) return elements;
    for (Json& value : *values) logged.push_back(std::move(value));
  }
  if (logged.empty()) return elements;
  return logged;
}

std::optional<int64_t> WholeNumber(const Json& value) {
  constexpr double kExactMax = 9007199254740992.0;  // 2^53
  if (value.is_number_unsigned()) {
    const uint64_t number = value.get<uint64_t>();
    if (number > static_cast<uint64_t>(script::kMoneyMax)) return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (value.is_number_float()) {
    const double real = value.get<double>();
    if (std::trunc(real) != real || std::abs(real) > kExactMax) return std::nullopt;
    return static_cast<int64_t>(real);
  }
  if (!value.is_string()) return std::nullopt;
  const absl::string_view text = absl::StripAsciiWhitespace(value.get_ref<const std::string&>());
  const size_t point = text.find('.');
  if (point != text.npos &&
      (point + 1 == text.size() || text.find_first_not_of('0', point + 1) != text.npos)) {
    return std::nullopt;
  }
  return ParseDecimal<int64_t>({text.data(), std::min(point, text.size())});
}

const Json* FieldOf(const Json& object, std::initializer_list<std::string_view> names) {
  if (!object.is_object()) return nullptr;
  for (const std::string_view name : names) {
    for (const auto& item : object.items()) {
      if (script::Normalized(item.key()) == name) return &item.value();
    }
  }
  return nullptr;
}

std::string WordOf(const Json& object, std::initializer_list<std::string_view> names) {
  const Json* value = FieldOf(object, names);
  if (value == nullptr || !value->is_string()) return "";
  return script::Normalized(value->get_ref<const std::string&>());
}

}  // namespace bank::checker::course
