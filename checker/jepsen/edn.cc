#include "checker/jepsen/edn.h"

#include <algorithm>
#include <charconv>

#include "fmt/format.h"

namespace bank::checker {
namespace {

constexpr int kDepthMax = 64;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// A code point up to 0xFFFF in UTF-8. Halves of a pair are written one by one: equal texts stay
// equal, others stay different.
void AppendUtf8(uint32_t code, std::string* text) {
  if (code < 0x80) {
    *text += static_cast<char>(code);
    return;
  }
  if (code < 0x800) {
    *text += static_cast<char>(0xC0 | code >> 6);
  } else {
    *text += static_cast<char>(0xE0 | code >> 12);
    *text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
  }
  *text += static_cast<char>(0x80 | (code & 0x3F));
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<std::vector<Edn>> Run() {
    std::vector<Edn> values;
    bool fine = true;
    while ((fine = Skip(0)) && at_ < text_.size()) {
      Edn value;
      fine = Value(&value, 0);
      if (!fine) break;
      values.push_back(std::move(value));
    }
    if (!fine) return absl::InvalidArgumentError(fmt::format("line {}: {}", line_, error_));
    return values;
  }

 private:
  bool Fail(const char* error) {
    error_ = error;
    return false;
  }
  bool StartsWith(std::string_view begin) const { return text_.substr(at_).starts_with(begin); }

  // To the next value: over blanks, comments, discarded values and metadata.
  bool Skip(int depth) {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ';') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',') {
        if (c == '\n') ++line_;
        ++at_;
      } else if (c == '^' || StartsWith("#_")) {
        at_ += c == '^' ? 1 : 2;
        Edn passed_over;
        if (!Next(&passed_over, depth + 1)) return false;
      } else {
        return true;
      }
    }
    return true;
  }
  // The value that must follow.
  bool Next(Edn* value, int depth) {
    if (depth > kDepthMax) return Fail("nested too deeply");
    if (!Skip(depth)) return false;
    return at_ < text_.size() ? Value(value, depth)
                              : Fail("the text ends where a value must follow");
  }

  static bool EndsToken(char c) {
    return std::string_view(" \t\r\n,()[]{}\";").find(c) != std::string_view::npos;
  }
  std::string_view Token() {
    const size_t start = at_;
    while (at_ < text_.size() && !EndsToken(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }
  bool Items(char end, Edn* value, int depth) {
    ++at_;
    for (;;) {
      if (!Skip(depth)) return false;
      if (at_ >= text_.size()) return Fail("a collection is not closed");
      if (text_[at_] == end) {
        ++at_;
        return value->type != Edn::Type::kMap || IsMap(*value);
      }
      Edn item;
      if (!Value(&item, depth + 1)) return false;
      value->items.push_back(std::move(item));
    }
  }
  bool IsMap(const Edn& value) {
    if (value.items.size() % 2 != 0) return Fail("a map with a key and no value");
    std::vector<std::string_view> keys;
    for (size_t i = 0; i < value.items.size(); i += 2) {
      if (value.items[i].type == Edn::Type::kKeyword) keys.push_back(value.items[i].text);
    }
    std::sort(keys.begin(), keys.end());
    const bool twice = std::adjacent_find(keys.begin(), keys.end()) != keys.end();
    return twice ? Fail("a map with the same key twice") : true;
  }

  // "u0041" and the like: `digits` of them.
  bool Code(size_t digits, int base, uint32_t* code) {
    const std::string_view some = text_.substr(at_, digits);
    const char* const last = some.data() + some.size();
    const auto [end, error] = std::from_chars(some.data(), last, *code, base);
    if (error != std::errc() || end != last || some.size() != digits) return Fail("a bad escape");
    at_ += digits;
    return true;
  }
  bool Escape(std::string* text) {
    const char c = text_[at_++];
    constexpr std::string_view kLetters = "tbnrf\\\"";
    constexpr std::string_view kMeant = "\t\b\n\r\f\\\"";
    if (const size_t known = kLetters.find(c); known != std::string_view::npos) {
      *text += kMeant[known];
      return true;
    }
    uint32_t code = 0;
    if (c == 'u') {
      if (!Code(4, 16, &code)) return false;
    } else if (IsDigit(c)) {  // octal, as Clojure has it
      --at_;
      size_t digits = 1;
      while (digits < 3 && at_ + digits < text_.size() && IsDigit(text_[at_ + digits])) ++digits;
      if (!Code(digits, 8, &code)) return false;
    } else {
      return Fail("a bad escape");
    }
    AppendUtf8(code, text);
    return true;
  }
  bool String(Edn* value) {
    value->type = Edn::Type::kString;
    ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (c == '\n') ++line_;
      if (c != '\\') {
        value->text += c;
      } else if (at_ < text_.size() && !Escape(&value->text)) {
        return false;
      }
    }
    return Fail("a string is not closed");
  }
  // What is matched needs no escapes: the text as it stands.
  bool Pattern(Edn* value) {
    value->type = Edn::Type::kOther;
    const size_t start = at_;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
      if (at_ < text_.size() && text_[at_] == '\n') ++line_;
    }
    if (at_ >= text_.size()) return Fail("a pattern is not closed");
    value->text = "#" + std::string(text_.substr(start, ++at_ - start));
    return true;
  }
  // \a, \newline, \u0041; also \( and \".
  bool Character(Edn* value) {
    const size_t start = at_;
    at_ += 2;
    if (at_ > text_.size()) return Fail("a character is missing");
    if (text_[at_ - 1] == '\n') ++line_;
    Token();
    value->type = Edn::Type::kOther;
    value->text = text_.substr(start, at_ - start);
    return true;
  }
  // What begins with # and is not discarded.
  bool Tagged(Edn* value, int depth) {
    if (StartsWith("#{")) {
      ++at_;
      value->type = Edn::Type::kVector;
      return Items('}', value, depth);
    }
    if (StartsWith("#\"")) {
      ++at_;
      return Pattern(value);
    }
    const std::string_view tag = Token();
    if (tag.starts_with("##") || tag.starts_with("#'")) {  // ##Inf, #'name/of-a-var
      value->type = Edn::Type::kOther;
      value->text = tag;
      return true;
    }
    if (!Next(value, depth + 1)) return false;
    if (!tag.starts_with("#:") || value->type != Edn::Type::kMap) return true;
    // A map whose keys are all in one namespace.
    const size_t name = std::min(tag.find_first_not_of("#:"), tag.size());
    const std::string prefix = std::string(tag.substr(name)) + "/";
    for (size_t i = 0; i < value->items.size(); i += 2) {
      Edn& key = value->items[i];
      if (key.type != Edn::Type::kKeyword) continue;
      if (key.text.find('/') == std::string::npos) {
        key.text = prefix + key.text;
      } else if (key.text.starts_with("_/")) {
        key.text.erase(0, 2);
      }
    }
    return IsMap(*value);
  }

  bool Value(Edn* value, int depth) {
    if (depth > kDepthMax) return Fail("nested too deeply");
    switch (text_[at_]) {
      case '{':
        value->type = Edn::Type::kMap;
        return Items('}', value, depth);
      case '[':
        value->type = Edn::Type::kVector;
        return Items(']', value, depth);
      case '(':
        value->type = Edn::Type::kVector;
        return Items(')', value, depth);
      case '"':
        return String(value);
      case '\\':
        return Character(value);
      case '#':
        return Tagged(value, depth);
      default:
        break;
    }
    const std::string_view token = Token();
    if (token.empty()) return Fail("unexpected character");
    if (token[0] == ':') {
      value->type = Edn::Type::kKeyword;
      value->text = token.substr(1);
    } else if (token == "nil") {
      value->type = Edn::Type::kNil;
    } else if (token == "true" || token == "false") {
      value->type = Edn::Type::kBool;
      value->integer = token == "true";
    } else {
      Number(token, value);
    }
    return true;
  }
  // An integer, or a symbol or another number as it is written.
  static void Number(std::string_view token, Edn* value) {
    std::string_view digits = token;
    if (digits.size() > 1 && (digits.back() == 'N' || digits.back() == 'M')) {
      digits.remove_suffix(1);
    }
    if (digits.size() > 1 && digits[0] == '+' && IsDigit(digits[1])) digits.remove_prefix(1);
    value->type = Edn::Type::kOther;
    value->text = token;
    const std::string_view positive = digits.substr(digits[0] == '-' ? 1 : 0);
    if (positive.empty() || !std::all_of(positive.begin(), positive.end(), IsDigit)) return;
    if (positive.size() > 1 && positive[0] == '0') return;  // octal, for some
    value->text = digits;                                   // one of any size, with N or without
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value->integer);
    if (error == std::errc()) value->type = Edn::Type::kInteger;
  }

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
  std::string error_;
};

}  // namespace

const Edn* Edn::Find(std::string_view keyword) const {
  if (type != Type::kMap) return nullptr;
  for (size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].type == Type::kKeyword && items[i].text == keyword) return &items[i + 1];
  }
  return nullptr;
}

absl::StatusOr<std::vector<Edn>> ParseEdn(std::string_view text) { return Parser(text).Run(); }

}  // namespace bank::checker
