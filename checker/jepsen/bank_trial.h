// BankTrial: tries the transfers and reads of a bank's history one by one, in every order.
//
// For small histories in which overdrafts decide: BankSearch (bank_search.h) takes transfers late
// and settles their order afterwards, which can miss an order if a transfer is only possible thanks
// to another that nobody sees. Wing and Gong's search with memoisation, exact. One owner.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "checker/jepsen/bank_steps.h"
#include "checker/model/budget.h"

namespace bank::checker {

class BankTrial {
 public:
  enum class Answer : uint8_t { kExplained, kViolation, kUnknown };

  BankTrial(const BankSteps& bank, const Budget& budget);
  Answer Run();
  // If explained: places in `bank.steps`.
  const std::vector<size_t>& order() const { return order_; }

 private:
  struct Frame {
    std::vector<size_t> candidates;
    size_t next = 0;
  };

  std::vector<size_t> Candidates();
  bool Take(size_t step);
  void Back(size_t step);

  const BankSteps& bank_;
  const Budget budget_;
  std::vector<size_t> by_begin_;
  std::vector<size_t> place_;                         // by step: in by_begin_
  std::vector<std::pair<uint64_t, uint64_t>> marks_;  // by step
  std::vector<bool> done_;
  size_t left_ = 0;   // required steps
  size_t first_ = 0;  // all of by_begin_ before it are done
  std::vector<size_t> taken_;
  size_t first_read_ = SIZE_MAX;  // in taken_; SIZE_MAX: none yet
  std::vector<size_t>
      first_order_;        // what came before it, in an order in which nobody is overdrawn
  BankBalances balances_;  // if there was a read
  std::pair<uint64_t, uint64_t> mark_;
  std::pair<uint64_t, uint64_t> first_mark_;  // of what was done up to the first read
  bool is_complete_ = true;
  absl::flat_hash_set<std::pair<uint64_t, uint64_t>> seen_;
  std::vector<size_t> order_;
};

}  // namespace bank::checker
