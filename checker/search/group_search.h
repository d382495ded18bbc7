// GroupSearch: is there an order of these operations, in keeping with time, that explains them all?
//
// Wing and Gong's algorithm with Lowe's memoisation of (what is done, state) ("Testing for
// linearizability", 2017), and four ways to try less without missing an order:
//   - An answer that is right and changes nothing is taken at once: it can never do harm.
//   - Operations of unknown outcome are not tried everywhere. One that happened matters from the
//     first answer on that is wrong without it, so it is put right before that answer, and only
//     those sets of them are tried that make the answer right (unknown_sums.h).
//   - Of operations that nobody can tell apart (one content, one answer, no position), the one that
//     is over first goes first: swapping two of them makes no order right.
//   - With positions, what names one comes in their order.
// One owner. Memory: 16 bytes for each remembered state, and what the operations take.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "checker/history/history_reader.h"
#include "checker/history/key_book.h"
#include "checker/model/budget.h"
#include "checker/model/operation.h"
#include "checker/model/rules.h"
#include "checker/search/group_state.h"
#include "checker/search/pending_list.h"
#include "checker/search/unknown_sums.h"

namespace bank::checker {

enum class SearchAnswer : uint8_t { kLinearizable, kViolation, kUnknown };

// An operation that must stand in the order; the others of a group may.
inline bool IsRequired(const Operation& op) {
  if (op.is_read()) return op.freshness == Freshness::kLinearizable;
  return op.is_positioned();
}

class GroupSearch {
 public:
  struct Options {
    uint64_t states_max = 0;
    Budget budget;
    // Positions count: what has one is taken in their order. The group must be the whole history if
    // `dense`: then writes without a recorded position must find room between those that have one.
    bool positions = false;
    bool dense = false;
    // Try operations of unknown outcome everywhere. Slow, and never wrong.
    bool everywhere = false;
    // The group is the whole history: what all accounts come to together is followed through the
    // order, from `money` and `accounts` on. Else these are what holds at any time.
    bool whole = false;
    Sum money;
    Sum accounts;
    uint64_t accounts_max = UINT64_MAX;
    // With `dense` and `whole`: what a branch said in the end, which the order must lead to.
    const Digest* end = nullptr;
  };

  // `operations`: those with IsRequired() and those of unknown outcome.
  GroupSearch(const std::vector<Operation>& operations, const InitialState& initial,
              const AccountNames& names, const Options& options);
  ~GroupSearch();

  SearchAnswer Run();

  // After kViolation: an order may have been missed; search `everywhere` to be certain.
  bool inexact() const { return inexact_; }
  uint64_t states() const { return seen_.size(); }
  // After kLinearizable: the order found, without the unknown operations that it did not need.
  std::vector<Operation> Order() const;

 private:
  struct Frame;
  struct Move;

  bool Step(Frame* frame);
  bool StepHarmless(Frame* frame);
  bool StepPlain(Frame* frame);
  bool StepBlocks(Frame* frame);
  bool StepAnywhere(Frame* frame);
  void FindMoves(Frame* frame);
  UnknownSums* SumsFor(uint32_t account, int64_t until);
  bool MayHappen(size_t optional) const;
  bool CarryOutBlock(Frame* frame, const std::vector<uint32_t>& block);

  void Begin(Frame* frame);
  // `after`: what follows on it.
  void Take(Frame* frame, uint32_t link, const BankView& after);
  bool EndFits() const;
  void TakeOptional(size_t optional);
  void Undo(Frame* frame);
  bool InPlace(uint32_t required) const;
  bool HasTwinBefore(uint32_t link) const;
  BankView StateFor(const Operation& op) const;

  const AccountNames& names_;
  const Options options_;
  std::vector<Operation> required_;  // by invocation, as are the optional ones
  std::vector<Operation> optional_;
  std::vector<uint32_t> twins_;  // by required operation: those of one number are alike; 0: none is
  std::vector<size_t> earlier_;  // the optional operation of the same content before
  std::vector<bool> done_;       // optional ones
  absl::flat_hash_set<OperationKey> used_keys_;
  PendingList pending_list_;  // of required_
  GroupState state_;
  uint64_t last_index_ = 0;  // dense: of what is done
  uint64_t since_ = 0;       // dense: writes done behind it that name no position
  uint64_t taken_ = 0;       // dense: positions taken by all writes done
  absl::flat_hash_set<std::pair<uint64_t, uint64_t>> seen_;
  std::vector<uint32_t> done_blocks_;  // optional operations done, in order
  std::vector<Frame> frames_;
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, std::unique_ptr<UnknownSums>> sums_;
  bool inexact_ = false;
};

}  // namespace bank::checker
