// Certificate: judges a history by the positions that the bank itself gave out.
//
// Every write and remembered refusal names its position in the bank's one order, every read the
// position of the last write before it. That order is the witness: it is right if
//   - no two operations share a position,
//   - replayed in it, every answer follows from the judge's own rules (rules.h),
//   - an operation that was over before another began stands before it.
// Operations of unknown outcome (AddUnknown) have no position. When an answer needs one of them, it
// is placed at a position that no recorded operation holds; all ways of doing so are kept as
// "worlds" until later answers tell them apart, up to a limit.
//
// Streaming: operations are added as they complete and are held only until nothing that is still
// open can stand before them. Memory: operations in that window, those of unknown outcome, the
// accounts, and the unheld positions (at most Options::gaps_max). One owner.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "checker/history_reader.h"
#include "checker/key_book.h"
#include "checker/operation.h"
#include "checker/rules.h"
#include "checker/standing.h"
#include "checker/violation.h"

namespace bank::checker {

class Certificate {
 public:
  struct Options {
    bool foreign_writers = false;  // others wrote too: after an unheld position nothing is known
    size_t worlds_max = 512;
    size_t gaps_max = 1 << 20;
    uint64_t steps_max = 2'000'000;  // of placing unknown operations, for the whole history
    // Judge the answers about this account only, as if nothing were known of the others. What is
    // wrong then is wrong for certain: transfers of unknown outcome are no longer tied to the
    // state of their other account.
    uint32_t only_account = kNoAccount;
    // Some answers name no position: judge how the positions that are there go with time, not what
    // was answered.
    bool order_only = false;
  };

  Certificate(const HistoryReader::Initial& initial, const AccountNames* names, Options options);

  // `op` is a read or positioned, and has an index. False: too late, operations behind it have been
  // judged; the caller begins again and adds it in time.
  bool Add(const Operation& op);
  void AddUnknown(const Operation& op);
  // From now on only operations come that were invoked at or after `oldest_open_ns`.
  void Advance(int64_t oldest_open_ns);
  void Finish();

  const std::optional<Violation>& violation() const { return violation_; }
  // The violation may be no violation: unknown operations could explain it in a way not tried.
  bool inexact() const { return inexact_ && !certain_; }

  size_t window() const { return heap_.size(); }
  size_t window_peak() const { return window_peak_; }
  uint64_t last_index() const { return last_index_; }
  uint64_t unheld_positions() const { return unheld_; }
  size_t placed() const { return placed_; }  // unknown operations that turned out to have happened
  size_t worlds() const { return worlds_.size(); }

  // At the end; see digests.h.
  Standing standing() const;

 private:
  struct Account {
    AccountView view;       // by known operations and those placed in all worlds
    uint64_t observed = 0;  // last position at which an answer told its balance
    uint64_t epoch = 0;     // foreign_writers: what is known holds until the next unheld position
  };
  struct Gap {  // positions that no recorded operation holds
    uint64_t first = 0;
    uint64_t length = 0;
    int64_t return_min = kNever;  // of the operations between this gap and the next
  };
  struct Change {
    uint32_t account = 0;
    Wide amount = 0;
    bool opened = false;
  };
  // An unknown operation that takes up an unheld position: one in a gap whose first position is
  // in [low, high).
  struct Job {
    uint64_t low = 0;
    uint64_t high = 0;
    uint64_t gap = 0;  // its first position
  };
  struct World {
    std::vector<uint32_t> placed;  // into unknown_, ascending
    std::vector<Change> changes;
    std::vector<Job> jobs;  // the newest ones
    int64_t newest_invocation = std::numeric_limits<int64_t>::min();
    Wide total = 0;
    uint64_t accounts = 0;
  };
  struct Pending {
    uint64_t place;  // index * 2, + 1 for reads
    uint32_t slot;
    bool operator>(const Pending& other) const { return place > other.place; }
  };
  class Repair;

  void JudgeNext();
  void Judge(const Operation& op, bool is_read);
  void PassGap(uint64_t until);  // positions last_index_ + 1 ... until are unheld
  bool CheckRealTime(const Operation& op);
  void CheckAnswer(const Operation& op);
  void Apply(const Operation& op);
  // Another attempt with the key of this unknown operation has happened.
  bool KeyTaken(const Operation& op, const World& world) const;
  void Settle();  // one world left: what it placed is certain
  AccountView ViewOf(uint32_t account, const World& world) const;
  BankView StateFor(const Operation& op, const World& world) const;
  Account& AccountAt(uint32_t account);
  void Learn(uint32_t account, const AccountView& view);
  bool Concerns(const Operation& op) const {
    return options_.only_account == kNoAccount || op.account == options_.only_account ||
           op.to == options_.only_account;
  }
  void SetNewest(const Operation& op, bool is_placed);
  void Report(ViolationKind kind, std::string why, std::vector<Operation> operations);

  const AccountNames* names_;
  Options options_;
  std::vector<Operation> pool_;
  std::vector<uint32_t> free_;
  std::priority_queue<Pending, std::vector<Pending>, std::greater<>> heap_;
  size_t window_peak_ = 0;
  uint64_t judged_place_ = 0;

  std::vector<Account> accounts_;
  Wide total_ = 0;
  bool total_known_ = true;
  uint64_t account_count_ = 0;
  uint64_t accounts_max_ = 0;
  uint64_t epoch_ = 1;

  uint64_t last_index_ = 0;  // all positions up to here are judged or known to be unheld
  uint64_t unheld_ = 0;
  std::deque<Gap> gaps_;
  Operation last_write_;
  // The newest invocation among those that stand before the next position, and the one among reads
  // that share a position with it.
  Operation newest_;
  bool has_newest_ = false;
  bool newest_is_placed_ = false;  // it is an unknown operation
  Operation newest_read_;
  bool has_newest_read_ = false;

  std::vector<Operation> unknown_;
  std::vector<bool> is_placed_;  // in all worlds
  // Unknown operations by key: attempts of different content share one, and one may have happened.
  absl::flat_hash_map<OperationKey, std::vector<uint32_t>> attempts_;
  size_t placed_ = 0;
  std::vector<World> worlds_;
  uint64_t steps_ = 0;
  bool inexact_ = false;
  bool certain_ = false;  // the violation holds whatever became of the unknown operations
  std::optional<Violation> violation_;
};

}  // namespace bank::checker
