#include "checker/edn.h"

#include <charconv>

#include "fmt/format.h"

namespace bank::checker {
namespace {

constexpr int kDepthMax = 64;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<std::vector<Edn>> Run() {
    std::vector<Edn> values;
    while (Skip(), at_ < text_.size()) {
      Edn value;
      if (!Value(&value, 0)) {
        return absl::InvalidArgumentError(fmt::format("line {}: {}", line_, error_));
      }
      values.push_back(std::move(value));
    }
    return values;
  }

 private:
  bool Fail(const char* error) {
    error_ = error;
    return false;
  }
  void Skip() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ';') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',') {
        if (c == '\n') ++line_;
        ++at_;
      } else {
        return;
      }
    }
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
      Skip();
      if (at_ >= text_.size()) return Fail("a collection is not closed");
      if (text_[at_] == end) {
        ++at_;
        if (value->type == Edn::Type::kMap && value->items.size() % 2 != 0) {
          return Fail("a map with a key and no value");
        }
        return true;
      }
      Edn item;
      if (!Value(&item, depth + 1)) return false;
      value->items.push_back(std::move(item));
    }
  }
  bool String(Edn* value) {
    value->type = Edn::Type::kString;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') return ++at_, true;
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      if (text_[at_] == '\n') ++line_;
      value->text += text_[at_];
    }
    return Fail("a string is not closed");
  }
  bool Value(Edn* value, int depth) {
    if (depth > kDepthMax) return Fail("nested too deeply");
    const char c = text_[at_];
    switch (c) {
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
      case '#':
        ++at_;
        if (at_ < text_.size() && text_[at_] == '{') {
          value->type = Edn::Type::kVector;
          return Items('}', value, depth);
        }
        Token();  // a tag; what follows is the value
        Skip();
        if (at_ >= text_.size()) return Fail("a tag without a value");
        return Value(value, depth + 1);
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
      std::string_view digits = token;
      if (digits.size() > 1 && (digits.back() == 'N' || digits.back() == 'M')) {
        digits.remove_suffix(1);
      }
      if (digits.size() > 1 && digits[0] == '+') digits.remove_prefix(1);
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), value->integer);
      value->text = token;
      value->type = error == std::errc() && end == digits.data() + digits.size()
                        ? Edn::Type::kInteger
                        : Edn::Type::kOther;
    }
    return true;
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
