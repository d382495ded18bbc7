// The bank as one of its customers understands it: what accounts hold, as far as it is known. Part
// of the judge by brute force. Plain values.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/verdicts/story.h"

namespace bank::verdicts {

__extension__ using Big = __int128;
inline constexpr Big kMost = std::numeric_limits<int64_t>::max();

// What is asked, and what was answered.
struct Demand {
  std::string op;
  std::string account;
  std::string to;
  int64_t amount = 0;
  std::string answer;  // "ok" or a refusal that takes a position
  std::optional<int64_t> balance;
};

class Ledger {
 public:
  // `named`: all accounts that operations of the story name.
  Ledger(const Story& story, const std::vector<std::string>& named);

  // All ways in which the bank can be what it is and answer so; empty if it cannot.
  std::vector<Ledger> Answer(const Demand& demand) const;
  // Whether a branch that says this of itself may be in this state.
  bool FitsDigest(const DigestLine& digest) const;

 private:
  struct Account {
    enum Presence { kOpen, kAbsent, kPresent };  // kOpen: not decided yet
    Presence presence = kOpen;
    // What it holds is `change` more than what it held at first: one number in [low, high].
    Big low = 0;
    Big high = kMost;
    Big change = 0;
    Big least() const { return low + change; }
    Big most() const { return high + change; }
  };

  // The state with `name` there or not there; none if that contradicts what is known.
  std::optional<Ledger> With(const std::string& name, Account::Presence presence) const;
  bool Holds(const std::string& name, Big low, Big high);  // narrows; false: impossible
  bool TotalAtMost(Big most);
  bool TotalAtLeast(Big least);
  bool CountAtMost(Big most);
  bool CountAtLeast(Big least);
  bool IsPossible() const;
  Big Present() const;
  Big Undecided() const;
  // One way: with both accounts decided.
  std::vector<Ledger> Decided(const Demand& demand) const;
  bool CarryOut(const Demand& demand);
  std::vector<Ledger> Refuse(const Demand& demand) const;

  std::map<std::string, Account> accounts_;
  bool is_complete_ = false;  // there are no accounts but these
  Big accounts_max_ = 0;
  Big changes_ = 0;  // of the total, since the beginning
  // What all accounts held together at first is in here, too.
  Big total_low_ = 0;
  Big total_high_ = kMost;
  Big opened_ = 0;  // accounts, since the beginning
  // So many there were at first.
  Big count_low_ = 0;
  Big count_high_ = kMost;
};

}  // namespace bank::verdicts
