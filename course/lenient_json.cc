#include "course/lenient_json.h"

#include <algorithm>
#include <array>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace bank::script {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Blanks of Unicode that editors and web pages leave between tokens.
constexpr std::array<std::string_view, 8> kForeignBlanks = {
    "\xC2\xA0",      // no-break space
    "\xE2\x80\x82",  // en space
    "\xE2\x80\x83",  // em space
    "\xE2\x80\x89",  // thin space
    "\xE2\x80\xAF",  // narrow no-break space
    "\xE2\x80\x8B",  // zero width space
    "\xE3\x80\x80",  // ideographic space
    kByteOrderMark,  // in the middle: where files were joined
};

// Quotes of one kind open and close each other: word processors turn `"a"` into any pair of them.
constexpr std::array<std::string_view, 7> kDoubleQuotes = {
    "\"",
    "\xE2\x80\x9C",  // left double
    "\xE2\x80\x9D",  // right double
    "\xE2\x80\x9E",  // low double
    "\xE2\x80\x9F",  // reversed double
    "\xC2\xAB",      // left guillemet
    "\xC2\xBB",      // right guillemet
};
constexpr std::array<std::string_view, 5> kSingleQuotes = {
    "'",
    "\xE2\x80\x98",  // left single
    "\xE2\x80\x99",  // right single
    "\xE2\x80\x9A",  // low single
    "\xE2\x80\x9B",  // reversed single
};

template <size_t N>
size_t MatchAny(std::string_view rest, const std::array<std::string_view, N>& candidates) {
  for (std::string_view candidate : candidates) {
    if (absl::StartsWith(absl::string_view(rest.data(), rest.size()),
                         absl::string_view(candidate.data(), candidate.size()))) {
      return candidate.size();
    }
  }
  return 0;
}

// Deeper than any input of the exercise; what walks over the values afterwards may recurse.
constexpr size_t kDepthMax = 64;

class Rewriter {
 public:
  explicit Rewriter(std::string_view text) : rest_(text) { out_.reserve(text.size()); }

  absl::StatusOr<std::string> Run() {
    while (!rest_.empty()) {
      if (absl::Status status = Token(); !status.ok()) return status;
    }
    return std::move(out_);
  }

 private:
  absl::Status Token() {
    if (size_t size = MatchAny(rest_, kForeignBlanks)) {
      rest_.remove_prefix(size);
      out_.push_back(' ');
      return absl::OkStatus();
    }
    if (MatchAny(rest_, kDoubleQuotes)) return String(kDoubleQuotes);
    if (MatchAny(rest_, kSingleQuotes)) return String(kSingleQuotes);
    const std::string_view two = rest_.substr(0, 2);
    if (two == "//" || rest_.front() == '#') return LineComment();
    if (two == "/*") return BlockComment();
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == ',') {
      comma_ = out_.size();
    } else if (c == '[' || c == '{') {
      comma_.reset();
      if (++depth_ > kDepthMax) return Error(line_, "nested too deeply");
    } else if (c == ']' || c == '}') {
      if (depth_ > 0) --depth_;
      if (comma_) out_[*comma_] = ' ';
      comma_.reset();
    } else if (c == '\0') {
      return Error(line_, "a zero byte");  // where the parser would take the text to end
    } else if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
      comma_.reset();
    }
    if (c == '\n') ++line_;
    out_.push_back(c);
    return absl::OkStatus();
  }

  // Copies a string between any two of `quotes` as one between `"`. A string that opens with the
  // plain quote closes with the plain one only, so that it may contain typographic ones.
  template <size_t N>
  absl::Status String(const std::array<std::string_view, N>& quotes) {
    comma_.reset();
    const size_t opened_at = line_;
    const bool plain = rest_.front() == quotes.front().front();
    rest_.remove_prefix(MatchAny(rest_, quotes));
    out_.push_back('"');
    while (!rest_.empty() && rest_.front() != '\n') {
      const size_t closing = MatchAny(rest_, quotes);
      if (closing != 0 && (!plain || rest_.front() == quotes.front().front())) {
        rest_.remove_prefix(closing);
        out_.push_back('"');
        return absl::OkStatus();
      }
      if (rest_.front() == '\\' && rest_.size() > 1 && rest_[1] == '\'') {
        rest_.remove_prefix(1);  // JSON knows no escaped single quote
      } else if (rest_.front() == '\\' && rest_.size() > 1) {
        Copy();
      } else if (rest_.front() == '"') {
        out_.push_back('\\');
      }
      Copy();
    }
    return Error(opened_at, "a string does not end on its line");
  }

  absl::Status LineComment() {
    rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
    return absl::OkStatus();
  }

  absl::Status BlockComment() {
    const size_t end = rest_.find("*/", 2);
    if (end == std::string_view::npos) return Error(line_, "a comment does not end");
    for (char c : rest_.substr(0, end)) {
      if (c != '\n') continue;
      ++line_;
      out_.push_back('\n');
    }
    out_.push_back(' ');
    rest_.remove_prefix(end + 2);
    return absl::OkStatus();
  }

  void Copy() {
    out_.push_back(rest_.front());
    rest_.remove_prefix(1);
  }

  static absl::Status Error(size_t line, std::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("line ", line, ": not JSON: ", absl::string_view(what.data(), what.size())));
  }

  std::string_view rest_;
  std::string out_;
  size_t line_ = 1;
  size_t depth_ = 0;
  std::optional<size_t> comma_;  // in out_: a comma with nothing but blanks after it so far
};

}  // namespace

absl::StatusOr<std::string> ToStrictJson(std::string_view text) { return Rewriter(text).Run(); }

}  // namespace bank::script
