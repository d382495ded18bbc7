// BankIndex: what a search looks up of a bank's steps. Plain values, made once.
//
// The state of a bank is one number: the sum of balance times weight over all accounts, modulo
// 2^64, with random weights, so that different balances hardly ever have equal sums. Who acts on
// equal sums must look at the balances.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "checker/jepsen/bank_steps.h"

namespace bank::checker {

struct BankIndex {
  explicit BankIndex(const BankSteps& bank);

  // By step.
  std::vector<uint64_t> values;    // of reads the state, of transfers what they add to it
  std::vector<uint32_t> contents;  // equal for transfers of equal content
  std::vector<std::pair<uint64_t, uint64_t>> marks;  // random
  std::vector<uint32_t> place;                       // of required ones: in `required`

  std::vector<uint32_t> required;               // by their end
  std::vector<std::vector<uint32_t>> optional;  // by content, each by invocation
  std::vector<uint32_t> optional_contents;      // of which there are any
  // Required steps that are open when required[i] ends: open[open_from[i], open_from[i + 1]).
  std::vector<uint32_t> open;
  std::vector<uint32_t> open_from;
};

}  // namespace bank::checker
