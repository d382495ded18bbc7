// StretchState: where a search through a stretch of gaps has come to: what each account holds, what
// it misses until an answer tells its balance, and the bank as a whole. Can go back to where it
// was. One owner.
#pragma once

#include <cstdint>
#include <vector>

#include "checker/certificate/placement_problem.h"
#include "checker/model/operation.h"
#include "checker/model/rules.h"

namespace bank::checker {

// An answer that is wrong, and the state in which it is.
struct PlacementFailure {
  uint32_t event = PlacementProblem::kNone;
  BankView state;
  uint64_t since = 0;  // position from which on it matters what happened
};

class StretchState {
 public:
  using Interval = PlacementProblem::Interval;
  struct Mark {
    size_t saved = 0;
    Sum money;
    Sum accounts;
  };

  // Both are borrowed.
  StretchState(const PlacementProblem& problem, const AccountNames& names)
      : problem_(problem), names_(names) {}

  // At a gap where no interval that matters is under way.
  void BeginAt(uint32_t gap);
  Mark Here() const { return {saved_.size(), money_, account_count_}; }
  void BackTo(const Mark& mark);

  BankView StateFor(const Operation& op) const;
  // Carries out an operation of unknown outcome, which agrees.
  void Place(const Operation& op);
  // Follows an answer. False, and nothing changes, if it is wrong: `failure` says where and why.
  bool Pass(uint32_t event, PlacementFailure* failure);
  // Whether all accounts can hold so much together.
  bool MayHold(Wide total) const;

  size_t accounts() const { return accounts_.size(); }
  // Null behind the last one.
  const Interval* IntervalOf(uint32_t account) const;
  Wide MissingOf(uint32_t account) const { return accounts_[account].missing; }
  // The account is still to be opened in its interval.
  bool Opens(uint32_t account) const;
  // Accounts whose interval lacks something.
  const std::vector<uint32_t>& uneven() const { return uneven_; }

 private:
  static constexpr uint32_t kNone = PlacementProblem::kNone;
  struct State {
    AccountView view;
    uint32_t interval = 0;
    Wide missing = 0;
    uint32_t uneven_at = kNone;  // place in uneven_
  };
  struct Saved {
    uint32_t account = 0;
    uint32_t interval = 0;
    AccountView view;
    Wide missing = 0;
  };
  bool IsUneven(uint32_t account) const;
  void NoteUneven(uint32_t account);
  void Set(uint32_t account, const AccountView& view, uint32_t interval, Wide missing);
  // Behind an answer that may end the interval.
  void Follow(uint32_t account, const AccountView& view, uint32_t event);
  void FollowBank(const BankView& state) {
    money_ = state.money;
    account_count_ = state.accounts;
  }

  const PlacementProblem& problem_;
  const AccountNames& names_;
  std::vector<State> accounts_;
  std::vector<uint32_t> uneven_;
  std::vector<Saved> saved_;
  Sum money_;
  Sum account_count_;
};

}  // namespace bank::checker
