// Operation: one customer operation of a history, from its invocation to what became of it.
//
// Plain values; nothing here knows how the bank works inside.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace bank::checker {

enum class OpKind : uint8_t { kOpen, kQuery, kDeposit, kWithdraw, kTransfer };
inline constexpr int kOpKinds = 5;
std::string_view OpKindName(OpKind kind);

// The answers a history may hold. The first group takes a position in the bank's order ("ok" of a
// query excepted); the second changes nothing and has no position of its own.
enum class Answer : uint8_t {
  kOk,
  kInsufficientFunds,
  kUnknownAccount,
  kAccountExists,
  kBadAmount,
  kOverflow,
  kBadAccount,
  kTooManyAccounts,

  kUnknownSession,
  kKeyReused,
  kForgotten,
  kWindowFull,
  kNotApplied,
  kBadRequest,
};
inline constexpr int kAnswers = 14;
std::string_view AnswerName(Answer answer);
// False if `name` is no answer.
bool ParseAnswer(std::string_view name, Answer* answer);
inline bool TakesPosition(Answer answer) { return answer <= Answer::kTooManyAccounts; }

enum class Fate : uint8_t {
  kOk,    // answered
  kFail,  // certainly not applied
  kInfo,  // unknown: took effect at most once, at any time after its invocation
};

// How fresh a query had to be; anything but kLinearizable may see an old balance.
enum class Freshness : uint8_t { kLinearizable, kAtLeast, kLocal };

inline constexpr uint64_t kPositionMax = std::numeric_limits<int64_t>::max();
inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
inline constexpr uint32_t kNoAccount = std::numeric_limits<uint32_t>::max();

struct Operation {
  uint64_t process = 0;
  uint64_t id = 0;
  uint64_t session = 0;  // with `sequence` the key; 0: no key
  uint64_t sequence = 0;
  int64_t amount = 0;          // minor units
  int64_t balance = 0;         // of `account`, after the operation; if has_balance
  uint64_t index = 0;          // position in the bank's order; if has_index
  int64_t invoke_ns = 0;       // CLOCK_MONOTONIC
  int64_t return_ns = kNever;  // kNever while unknown
  uint64_t minimum_index = 0;  // Freshness::kAtLeast
  uint32_t account = kNoAccount;
  uint32_t to = kNoAccount;
  uint32_t branch = 0;
  OpKind kind = OpKind::kQuery;
  Answer answer = Answer::kOk;
  Fate fate = Fate::kInfo;
  Freshness freshness = Freshness::kLinearizable;
  bool has_balance = false;
  bool has_index = false;
  bool replayed = false;

  bool is_write() const { return kind != OpKind::kQuery; }
  bool has_key() const { return session != 0 && sequence != 0; }
  // It changed the bank.
  bool took_effect() const { return is_write() && fate == Fate::kOk && answer == Answer::kOk; }
  // Its answer stands at a place of the bank's order, as a write or as a remembered refusal.
  bool is_positioned() const { return is_write() && fate == Fate::kOk && TakesPosition(answer); }
  // A query that says something about a balance.
  bool is_read() const { return !is_write() && fate == Fate::kOk && TakesPosition(answer); }
  // It is told of a key, but queries need none.
  bool is_absurd() const {
    return !is_write() && fate == Fate::kOk && !TakesPosition(answer) &&
           answer != Answer::kBadRequest;
  }
  // By what it answered, it may still have happened: its answer is gone.
  bool is_unknown() const {
    return is_write() &&
           (fate == Fate::kInfo || (fate == Fate::kOk && answer == Answer::kForgotten));
  }
  bool same_content(const Operation& other) const {
    return kind == other.kind && account == other.account && to == other.to &&
           amount == other.amount;
  }
};

// Names of accounts, each met once and known by a small number from then on.
class AccountNames {
 public:
  uint32_t Intern(std::string_view name) {
    if (last_ < names_.size() && names_[last_] == name) return last_;
    auto [it, fresh] =
        numbers_.try_emplace(std::string(name), static_cast<uint32_t>(names_.size()));
    if (fresh) names_.emplace_back(name);
    return last_ = it->second;
  }
  const std::string& name(uint32_t account) const { return names_[account]; }
  size_t size() const { return names_.size(); }
  // The bank refuses such names.
  bool is_bad(uint32_t account) const {
    return names_[account].empty() || names_[account].size() > 128;
  }

 private:
  std::vector<std::string> names_;
  absl::flat_hash_map<std::string, uint32_t> numbers_;
  uint32_t last_ = 0;
};

// The name as it may stand in a line for people: escaped, cut, and in quotes unless it is one plain
// word.
std::string ShownName(std::string_view name);
// "17:3" and what it did, on one line, for people.
std::string Describe(const Operation& op, const AccountNames& names);

}  // namespace bank::checker
