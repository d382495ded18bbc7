// The judge's own rules of the bank: which answer an operation may have got in a given state.
//
// Where several reasons for a refusal hold at once, any of them is a right answer. What is not
// known about the state never makes an answer wrong. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include "checker/model/operation.h"

namespace bank::checker {

__extension__ using Wide = __int128;  // sums of int64 that must not wrap
std::string ToString(Wide value);

inline constexpr Wide kBalanceMax = std::numeric_limits<int64_t>::max();

struct AccountView {
  enum Presence : uint8_t { kUnknown, kAbsent, kPresent };
  Presence presence = kUnknown;
  int64_t balance = 0;  // kPresent
  // kUnknown: what is known all the same. The account may be there, with a balance in [low, high].
  bool may_be_absent = true;
  int64_t low = 0;
  int64_t high = std::numeric_limits<int64_t>::max();

  // It holds so much for certain, and no more than that.
  int64_t least() const {
    if (presence == kUnknown) return may_be_absent ? 0 : low;
    return presence == kPresent ? balance : 0;
  }
  int64_t most() const { return presence == kUnknown ? high : least(); }
  bool is_certainly_there() const {
    return presence == kPresent || (presence == kUnknown && !may_be_absent);
  }
};

// A number of which only bounds are known, both inclusive.
struct Bounds {
  Wide low = 0;
  Wide high = 0;
};
inline constexpr Wide kUnbounded = Wide{1} << 100;  // above all sums of balances

// What all accounts come to together: their money, or their number.
struct Sum {
  Bounds parts = {-kUnbounded, kUnbounded};  // by what is known of the accounts one by one
  Bounds whole = {0, kUnbounded};            // by answers that tell of all of them together

  bool is_possible() const {
    return std::max(parts.low, whole.low) <= std::min(parts.high, whole.high);
  }
};

inline constexpr Sum kAnyMoney = {.whole = {0, kBalanceMax}};

struct BankView {
  AccountView account;  // the operation's `account`
  AccountView to;       // and `to`, for transfers
  // Nothing is known of them unless it is said.
  Sum money = kAnyMoney;
  Sum accounts;
  uint64_t accounts_max = UINT64_MAX;
  bool bad_account = false;  // the bank refuses the names

  // The names of `op`: an account that cannot be is not there.
  void Recognize(const Operation& op, const AccountNames& names);
  // One of the accounts is known to be `after`, not `before`: so the sums are.
  void Recount(const AccountView& before, const AccountView& after);
};

// Whether the answer of `op` (Fate::kOk, read or positioned) is right in this state.
bool Agrees(const Operation& op, const BankView& state);
// Why it is not, for people: "expected balance 570, not 571". Empty if it agrees.
std::string Disagreement(const Operation& op, const BankView& state);
// What `op`, if carried out, adds to the balance of `account`.
Wide ChangeOf(const Operation& op, uint32_t account);
// Whether the bank would carry out `op`, a write, in this state.
bool WouldSucceed(const Operation& op, const BankView& state);
// The state after `op`: what its answer tells is known from then on, and it has had its effect. An
// answer about accounts of which nobody knows whether they were there may mean several things; this
// is one of them, by its number from 0 on. False, and nothing is changed, if there are not so many:
// none if it does not agree.
bool CarryOne(const Operation& op, size_t number, BankView* state);
// The state after `op`, which agrees: what is so whichever of them is meant.
void Carry(const Operation& op, BankView* state);
// Whether the answer tells that the operation's account was there before it.
bool TellsPresence(const Operation& op);
// Whether the answer tells all about the operation's account, whatever was known before. Only a
// transfer's `account` is told.
bool TellsAll(const Operation& op);
// The balance before `op`, by an answer that tells all; 0 if the account was absent.
Wide ToldBefore(const Operation& op);
// As if `op`, a write of unknown outcome that would succeed, had been answered.
Operation AsDone(const Operation& op);

}  // namespace bank::checker
