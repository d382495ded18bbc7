// Certificate: judges a history by the positions that the bank itself gave out.
//
// Every write and remembered refusal names its position in the bank's one order, every read the
// position of the last write before it. That order is the witness: it is right if
//   - no two operations share a position,
//   - replayed in it, every answer follows from the judge's own rules (rules.h),
//   - an operation that was over before another began stands before it.
// Operations of unknown outcome (AddUnknown) have no position: each may stand at one that no
// recorded operation holds. As long as the answers are right without them, none is placed. Else
// problem() says what has to be explained (placement.h), and a second certificate replays what was
// found (Options::placed): nothing is believed of it.
//
// Streaming: operations are added as they complete and are held only until nothing that is still
// open can stand before them. Memory: operations in that window, the accounts, and, once there are
// operations of unknown outcome, what an unheld position leaves open: for each account the answers
// up to the next one that tells its balance. One owner.
#pragma once

#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

#include "checker/certificate/expected_state.h"
#include "checker/certificate/placement_problem.h"
#include "checker/history/history_reader.h"
#include "checker/model/operation.h"
#include "checker/model/rules.h"
#include "checker/model/violation.h"

namespace bank::checker {

class Certificate {
 public:
  struct Options {
    bool foreign_writers = false;  // others wrote too: after an unheld position nothing is known
    // Some answers name no position: judge how the positions that are there go with time, not what
    // was answered.
    bool order_only = false;
    // The bank may hold accounts, and money in them, that nobody has named by now.
    bool has_others = false;
    // So much is kept of what unknown operations may explain.
    size_t kept_max = 1'000'000;
    // Keep all answers: the bank as a whole may have come to its limits (needs_all()).
    bool keep_all = false;
    // By position: unknown operations, and where they stood. All others did not happen.
    const std::vector<Operation>* placed = nullptr;
  };

  Certificate(const InitialState& initial, const AccountNames* names, Options options);

  // `op` is a read or positioned, and has an index. False: too late, operations behind it have been
  // judged; the caller begins again and adds it in time.
  bool Add(const Operation& op);
  void AddUnknown(const Operation& op);
  // From now on only operations come that were invoked at or after `oldest_open_ns`.
  void Advance(int64_t oldest_open_ns);
  // `last_index`: the bank's order is known to go so far, or 0.
  void Finish(uint64_t last_index);

  const std::optional<Violation>& violation() const { return violation_; }
  // Some answers are wrong unless unknown operations happened.
  bool needs_unknown() const { return needs_unknown_; }
  // Unknown operations may have brought the bank to its limits: the caller begins again with
  // Options::keep_all.
  bool needs_all() const {
    return !problem_.unknown.empty() &&
           (tells_limits_ || total_most_ > kBalanceMax || accounts_most_ > bank_.accounts_max);
  }
  // An account was there that the header does not name, or the violation is one only if there are
  // none but those that were named before it: the caller, if there may be, begins again with
  // Options::has_others.
  bool has_strangers() const { return has_strangers_; }
  bool rests_on_limits() const { return rests_on_limits_; }
  // After Finish(): what has to be explained, once; nothing if it is too much to be kept.
  std::optional<PlacementProblem> TakeProblem();
  // An answer could not be explained.
  Violation Unexplained(const Operation& op, const BankView& state, uint64_t since) const;

  size_t window() const { return heap_.size(); }
  size_t window_peak() const { return window_peak_; }
  uint64_t last_index() const { return last_index_; }
  uint64_t unheld_positions() const { return unheld_; }

  // After Finish(), if nothing is wrong; see digests.h.
  ExpectedState expected_state() const;

 private:
  struct Account {
    AccountView view;        // as if no unknown operation had happened since it was told
    uint64_t observed = 0;   // last position at which an answer told its balance
    uint64_t epoch = 0;      // foreign_writers: what is known holds until the next unheld position
    uint32_t gaps_told = 0;  // gaps of the problem up to the last answer that told all about it
    bool has_interval = false;  // the one that begins there is in the problem
    bool is_met = false;
  };
  struct Pending {
    uint64_t place;  // index * 2, + 1 for reads
    uint32_t slot;
    bool operator>(const Pending& other) const { return place > other.place; }
  };

  void JudgeNext();
  void Judge(const Operation& op, bool is_read);
  // Positions last_index_ + 1 ... until are unheld. `return_ns`: of the operation behind them.
  void PassGap(uint64_t until, int64_t return_ns);
  void OpenGap(uint64_t first, uint64_t length);
  void PassPlaced(uint64_t until);
  bool CheckRealTime(const Operation& op);
  void CheckAnswer(const Operation& op);
  void Keep(const Operation& op);
  void OpenInterval(uint32_t account);
  void CloseInterval(const Operation& op, const AccountView& expected);
  void Seal(uint64_t last_index);
  void CountMost(const Operation& op);
  // Unknown operations may have changed the account since it was told.
  bool IsOpen(const Account& account) const { return account.gaps_told < problem_.gaps.size(); }
  BankView StateFor(const Operation& op);
  void Follow(const Operation& op, const BankView& state);
  Account& AccountAt(uint32_t account);
  void Meet(uint32_t number, Account* account);
  void SetNewest(const Operation& op);
  void Report(ViolationKind kind, std::string why, std::vector<Operation> operations);

  const AccountNames* names_;
  Options options_;
  std::vector<Operation> pool_;
  std::vector<uint32_t> free_;
  std::priority_queue<Pending, std::vector<Pending>, std::greater<>> heap_;
  size_t window_peak_ = 0;
  uint64_t judged_place_ = 0;

  std::vector<Account> accounts_;
  BankView bank_;        // as a whole
  Wide total_most_ = 0;  // the most that can ever have been there
  uint64_t accounts_most_ = 0;
  uint64_t epoch_ = 1;

  uint64_t last_index_ = 0;  // all positions up to here are judged or known to be unheld
  uint64_t unheld_ = 0;
  size_t placed_ = 0;  // of Options::placed, passed already
  Operation last_write_;
  // The newest invocation among those that stand before the next position, and the one among reads
  // that share a position with it.
  Operation newest_;
  bool has_newest_ = false;
  Operation newest_read_;
  bool has_newest_read_ = false;

  int64_t unknown_since_ = kNever;  // the first invocation of them
  PlacementProblem problem_;
  bool needs_unknown_ = false;
  bool has_strangers_ = false;
  bool rests_on_limits_ = false;
  bool tells_limits_ = false;  // some answer tells of the bank as a whole
  bool is_too_much_ = false;
  std::optional<Violation> violation_;
};

}  // namespace bank::checker
