// HistoryPasses: reads a history's files as often as it takes to know each operation's fate.
//
// Once when all is usual; again with what was learnt about operations that were given up and
// resolved later, keys used by several operations, and stamps out of order. Every pass feeds a
// Certificate. One owner; single-threaded.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "checker/certificate/certificate.h"
#include "checker/history/duplicate_keys.h"
#include "checker/history/history_reader.h"
#include "checker/history/key_book.h"
#include "checker/judge.h"
#include "checker/model/budget.h"
#include "checker/model/operation.h"
#include "checker/model/violation.h"

namespace bank::checker {

class HistoryPasses {
 public:
  // What of the history the certificate looks at.
  struct Focus {  // as in Certificate::Options
    bool order_only = false;
    bool has_others = false;
    bool keep_all = false;
    const std::vector<Operation>* placed = nullptr;
  };

  // Both must outlive this. `judgement` has the inputs, and gets counts, lines and passes.
  HistoryPasses(const JudgeOptions& options, const Budget& budget, Judgement* judgement)
      : options_(options), budget_(budget), judgement_(*judgement) {}

  // Passes until nothing new is learnt. An error means the input is not acceptable;
  // DeadlineExceeded, that the budget is over. The first pass of all always comes to its end: it
  // takes no longer than the history is long. What follows is of the last pass.
  absl::Status Settle(const Focus& focus);
  Certificate& certificate() { return *certificate_; }
  const InitialState& initial() const { return initial_; }
  const std::vector<Violation>& key_violations() const { return key_violations_; }
  // Answers with and without a position.
  uint64_t indexed() const { return indexed_; }
  uint64_t indexless() const { return indexless_; }
  const std::vector<Digest>& digests() const { return reader_->digests(); }
  const std::vector<std::string>& notes() const { return reader_->notes(); }

  // All operations of each key that several have.
  std::vector<std::vector<Operation>> attempts() const;

  // All operations once more: attempts with one key as one, and those resolved later as such.
  // Errors as above.
  absl::Status ForEachEffect(const std::function<void(const Operation&)>& take);

 private:
  // What earlier passes learnt.
  struct Knowledge {
    absl::flat_hash_map<OperationId, Operation> operations;  // added before all others
    absl::flat_hash_map<OperationKey, std::vector<Operation>>
        attempts;                                 // keys of several operations
    absl::flat_hash_set<OperationKey> collected;  // of these `attempts` holds all
  };

  absl::Status Pass(bool* again);
  // Whether a pass that is not the first has to end.
  bool IsOver(uint64_t rounds) const { return (rounds & 4095) == 1 && budget_.IsOver(); }
  void Prepare();
  void Take(const Operation& op, bool* again);
  void Feed(const Operation& op, bool* again);
  void Count(const Operation& op);

  const JudgeOptions& options_;
  const Budget budget_;
  Judgement& judgement_;
  Focus focus_;
  Knowledge knowledge_;

  // Of the pass that runs.
  InitialState initial_;
  std::unique_ptr<HistoryReader> reader_;
  std::unique_ptr<Certificate> certificate_;
  std::vector<Violation> key_violations_;
  uint64_t indexless_ = 0;
  uint64_t indexed_ = 0;
  KeyBook keys_;
  absl::flat_hash_map<OperationId, OperationKey> given_up_;
  bool window_full_ = false;
};

}  // namespace bank::checker
