// The judge's own rules of the bank: which answer an operation may have got in a given state.
//
// Where several reasons for a refusal hold at once, any of them is a right answer. What is not
// known about the state never makes an answer wrong. Pure.
#pragma once

#include <cstdint>
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

  // It holds so much for certain.
  int64_t least() const {
    if (presence == kUnknown) return may_be_absent ? 0 : low;
    return presence == kPresent ? balance : 0;
  }
  bool is_certainly_there() const {
    return presence == kPresent || (presence == kUnknown && !may_be_absent);
  }
};

struct BankView {
  AccountView account;  // the operation's `account`
  AccountView to;       // and `to`, for transfers
  Wide total = 0;       // all balances hold so much together; exactly so if total_known
  bool total_known = false;
  uint64_t accounts = 0;  // there are so many; exactly so if accounts_known
  uint64_t accounts_max = UINT64_MAX;
  bool accounts_known = false;
  // If not known: whether there may have been so much, or so many.
  bool total_may_overflow = true;
  bool accounts_may_run_out = true;
  bool bad_account = false;  // a name the bank refuses
};

// Whether the answer of `op` (Fate::kOk, read or positioned) is right in this state.
bool Agrees(const Operation& op, const BankView& state);
// Why it is not, for people: "expected balance 570, not 571". Empty if it agrees.
std::string Disagreement(const Operation& op, const BankView& state);
// What `op`, if carried out, adds to the balance of `account`.
Wide ChangeOf(const Operation& op, uint32_t account);
// Whether the bank would carry out `op`, a write, in this state.
bool WouldSucceed(const Operation& op, const BankView& state);
// The state after `op`, which agrees: what the answer tells about the accounts is known from then
// on, and the operation has had its effect.
void Carry(const Operation& op, BankView* state);
// Whether the answer tells all about the operation's account, whatever was known before. Only a
// transfer's `account` is told.
bool TellsAll(const Operation& op);
// The balance before `op`, by an answer that tells all; 0 if the account was absent.
Wide ToldBefore(const Operation& op);
// As if `op`, a write of unknown outcome that would succeed, had been answered.
Operation AsDone(const Operation& op);

}  // namespace bank::checker
