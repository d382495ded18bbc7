#include "checker/history/line_parser.h"

#include <cstring>
#include <limits>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/one_line.h"
#include "nlohmann/json.hpp"

namespace bank::checker {
namespace {

constexpr auto kPositionMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());

bool ParseOp(std::string_view name, OpKind* kind) {
  switch (name.empty() ? '\0' : name[0]) {
    case 'd':
      *kind = OpKind::kDeposit;
      return name == "deposit";
    case 'q':
      *kind = OpKind::kQuery;
      return name == "query";
    case 'w':
      *kind = OpKind::kWithdraw;
      return name == "withdraw";
    case 't':
      *kind = OpKind::kTransfer;
      return name == "transfer";
    case 'o':
      *kind = OpKind::kOpen;
      return name == "open";
    default:
      return false;
  }
}

bool ParseType(std::string_view name, LineType* type) {
  if (name == "invoke") return *type = LineType::kInvoke, true;
  if (name == "ok") return *type = LineType::kOk, true;
  if (name == "fail") return *type = LineType::kFail, true;
  if (name == "info") return *type = LineType::kInfo, true;
  if (name == "header") return *type = LineType::kHeader, true;
  if (name == "digest") return *type = LineType::kDigest, true;
  return false;
}

bool ParseFreshness(std::string_view name, Freshness* freshness) {
  if (name == "linearizable") return *freshness = Freshness::kLinearizable, true;
  if (name == "at_least") return *freshness = Freshness::kAtLeast, true;
  if (name == "local") return *freshness = Freshness::kLocal, true;
  return false;
}

// The fast way. False means "not in the usual shape", never "wrong": the general way decides then.
class FastParser {
 public:
  FastParser(std::string_view text, Line* line)
      : at_(text.data()), end_(text.data() + text.size()), line_(line) {}

  bool Run() {
    if (!Take('{')) return false;
    for (;;) {
      if (!Take('"') || !Pair()) return false;
      if (Take(',')) continue;
      return Take('}') && at_ == end_;
    }
  }

 private:
  bool Take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  // The rest of a key, its closing quote and the colon.
  template <size_t N>
  bool Key(const char (&rest)[N]) {
    constexpr size_t kLength = N - 1;
    if (static_cast<size_t>(end_ - at_) < kLength || std::memcmp(at_, rest, kLength) != 0) {
      return false;
    }
    at_ += kLength;
    return true;
  }

  bool Once(Line::Field field) {
    if (line_->has(field)) return false;
    line_->present |= field;
    return true;
  }

  // False, for the general way: no number, one of an unusual form, or above `max`.
  bool Unsigned(uint64_t* value, uint64_t max = std::numeric_limits<uint64_t>::max()) {
    uint64_t v = 0;
    const char* start = at_;
    while (at_ != end_ && static_cast<unsigned char>(*at_ - '0') < 10) {
      const auto digit = static_cast<uint64_t>(*at_ - '0');
      if (v > max / 10 || v * 10 > max - digit) return false;
      v = v * 10 + digit;
      ++at_;
    }
    *value = v;
    return at_ != start && (at_ - start == 1 || *start != '0');
  }
  bool Signed(int64_t* value) {
    const bool negative = Take('-');
    uint64_t v = 0;
    if (!Unsigned(&v, std::numeric_limits<int64_t>::max())) return false;
    *value = negative ? -static_cast<int64_t>(v) : static_cast<int64_t>(v);
    return true;
  }
  bool String(std::string_view* value) {
    if (!Take('"')) return false;
    const char* start = at_;
    while (at_ != end_ && *at_ != '"') {
      const auto c = static_cast<unsigned char>(*at_);
      if (c == '\\' || c < 0x20 || c >= 0x80) return false;
      ++at_;
    }
    *value = std::string_view(start, static_cast<size_t>(at_ - start));
    return Take('"');
  }
  bool Bool(bool* value) {
    if (Key("true")) return *value = true, true;
    if (Key("false")) return *value = false, true;
    return false;
  }

  bool Pair() {
    std::string_view word;
    switch (at_ == end_ ? '\0' : *at_) {
      case 't':
        if (Key("type\":")) {
          // Headers and digests have other keys.
          return Once(Line::kType) && String(&word) && ParseType(word, &line_->type) &&
                 line_->type != LineType::kHeader && line_->type != LineType::kDigest;
        }
        return Key("to\":") && Once(Line::kTo) && String(&line_->to);
      case 'p':
        return Key("process\":") && Once(Line::kProcess) && Unsigned(&line_->process);
      case 'i':
        if (Key("id\":")) return Once(Line::kId) && Unsigned(&line_->id);
        return Key("index\":") && Once(Line::kIndex) && Unsigned(&line_->index, kPositionMax);
      case 's':
        if (Key("session\":")) return Once(Line::kSession) && Unsigned(&line_->session);
        return Key("sequence\":") && Once(Line::kSequence) && Unsigned(&line_->sequence);
      case 'o':
        return Key("op\":") && Once(Line::kOp) && String(&word) && ParseOp(word, &line_->op);
      case 'a':
        if (Key("amount\":")) return Once(Line::kAmount) && Signed(&line_->amount);
        return Key("account\":") && Once(Line::kAccount) && String(&line_->account);
      case 'b':
        if (Key("balance\":")) return Once(Line::kBalance) && Signed(&line_->balance);
        return Key("branch\":") && Once(Line::kBranch) && Unsigned(&line_->branch);
      case 'n':
        return Key("ns\":") && Once(Line::kNs) && Signed(&line_->ns);
      case 'r':
        if (Key("result\":")) {
          return Once(Line::kResult) && String(&word) && ParseAnswer(word, &line_->result);
        }
        return Key("replayed\":") && Once(Line::kReplayed) && Bool(&line_->replayed);
      default:
        return false;
    }
  }

  const char* at_;
  const char* end_;
  Line* line_;
};

// The general way, which also finds the words for what is wrong.
class GeneralParser {
 public:
  explicit GeneralParser(Line* line) : line_(line) {}

  absl::Status Run(std::string_view text) {
    // The library takes the text to end there, whatever follows.
    if (text.find('\0') != text.npos) {
      return absl::InvalidArgumentError("not JSON: a zero byte");
    }
    // A repeated key has no one meaning, and the parser would silently keep the last.
    absl::flat_hash_set<std::string> keys;
    std::string repeated;
    const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
      if (event == nlohmann::json::parse_event_t::key && depth == 1) {
        std::string key = value.get<std::string>();
        if (!keys.insert(key).second) repeated = std::move(key);
      }
      return true;
    };
    nlohmann::json object;
    try {
      object = nlohmann::json::parse(text, watch);
    } catch (const nlohmann::json::exception& error) {
      return absl::InvalidArgumentError(absl::StrCat("not JSON: ", OneLine(error.what())));
    }
    if (!object.is_object()) return absl::InvalidArgumentError("not a JSON object");
    if (!repeated.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the key \"", OneLine(repeated), "\" stands twice"));
    }
    std::string word;
    bool known = true;
    if (Word(object, "type", Line::kType, &word)) known = ParseType(word, &line_->type);
    if (status_.ok() && !line_->has(Line::kType)) Fail("no \"type\"");
    if (!known) Fail(absl::StrCat("unknown type \"", word, "\""));
    if (!status_.ok() || line_->type == LineType::kHeader || line_->type == LineType::kDigest) {
      return status_;
    }
    if (Word(object, "op", Line::kOp, &word) && !ParseOp(word, &line_->op)) {
      Fail(absl::StrCat("unknown op \"", word, "\""));
    }
    if (Word(object, "result", Line::kResult, &word) && !ParseAnswer(word, &line_->result)) {
      Fail(absl::StrCat("unknown result \"", word, "\""));
    }
    if (Word(object, "consistency", Line::kConsistency, &word) &&
        !ParseFreshness(word, &line_->consistency)) {
      Fail(absl::StrCat("unknown consistency \"", word, "\""));
    }
    std::string account;
    std::string to;
    Word(object, "account", Line::kAccount, &account);
    Word(object, "to", Line::kTo, &to);
    line_->storage = account + to;
    line_->account = std::string_view(line_->storage).substr(0, account.size());
    line_->to = std::string_view(line_->storage).substr(account.size());
    Unsigned(object, "process", Line::kProcess, &line_->process);
    Unsigned(object, "id", Line::kId, &line_->id);
    Unsigned(object, "session", Line::kSession, &line_->session);
    Unsigned(object, "sequence", Line::kSequence, &line_->sequence);
    Position(object, "index", Line::kIndex, &line_->index);
    Position(object, "minimum", Line::kMinimumIndex, &line_->minimum_index);
    Unsigned(object, "branch", Line::kBranch, &line_->branch);
    Signed(object, "amount", Line::kAmount, &line_->amount);
    Signed(object, "balance", Line::kBalance, &line_->balance);
    Signed(object, "ns", Line::kNs, &line_->ns);
    Bool(object, "replayed", Line::kReplayed, &line_->replayed);
    return status_;
  }

 private:
  void Fail(std::string message) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(OneLine(message));
  }

  // The value of `key` if it is there and not null.
  const nlohmann::json* Find(const nlohmann::json& object, const char* key, Line::Field field) {
    const auto it = object.find(key);
    if (it == object.end() || it->is_null()) return nullptr;
    line_->present |= field;
    return &*it;
  }
  bool Word(const nlohmann::json& object, const char* key, Line::Field field, std::string* value) {
    const nlohmann::json* found = Find(object, key, field);
    if (found == nullptr) return false;
    if (!found->is_string()) {
      Fail(absl::StrCat("\"", key, "\" must be a string"));
      return false;
    }
    *value = found->get<std::string>();
    return true;
  }
  void Unsigned(const nlohmann::json& object, const char* key, Line::Field field, uint64_t* value) {
    const nlohmann::json* found = Find(object, key, field);
    if (found == nullptr) return;
    if (!found->is_number_unsigned()) {
      return Fail(absl::StrCat("\"", key, "\" must be an integer >= 0"));
    }
    *value = found->get<uint64_t>();
  }
  // Positions are int64, as the bank counts them; ids may be any number of 64 bits.
  void Position(const nlohmann::json& object, const char* key, Line::Field field, uint64_t* value) {
    Unsigned(object, key, field, value);
    if (line_->has(field) && *value > kPositionMax)
      Fail(absl::StrCat("\"", key, "\" must be at most 2^63-1"));
  }
  void Signed(const nlohmann::json& object, const char* key, Line::Field field, int64_t* value) {
    const nlohmann::json* found = Find(object, key, field);
    if (found == nullptr) return;
    if (!found->is_number_integer() ||
        (found->is_number_unsigned() && found->get<uint64_t>() > kPositionMax)) {
      return Fail(absl::StrCat("\"", key, "\" must be a 64-bit integer"));
    }
    *value = found->get<int64_t>();
  }
  void Bool(const nlohmann::json& object, const char* key, Line::Field field, bool* value) {
    const nlohmann::json* found = Find(object, key, field);
    if (found == nullptr) return;
    if (!found->is_boolean()) return Fail(absl::StrCat("\"", key, "\" must be true or false"));
    *value = found->get<bool>();
  }

  Line* line_;
  absl::Status status_;
};

// Back to an empty line, keeping what `storage` has allocated.
void Reset(Line* line) {
  line->present = 0;
  line->type = LineType::kNone;
  line->result = Answer::kOk;
  line->consistency = Freshness::kLinearizable;
  line->replayed = false;
}

}  // namespace

absl::Status ParseLine(std::string_view text, Line* line) {
  Reset(line);
  if (FastParser(text, line).Run() && line->has(Line::kType)) return absl::OkStatus();
  Reset(line);
  return GeneralParser(line).Run(text);
}

}  // namespace bank::checker
