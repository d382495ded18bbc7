// UnknownSums: which operations of unknown outcome, taken together, change a balance by a given
// sum.
//
// Pure. The sums that the last items can give are kept as a set, so that a sum which no subset
// gives is known for certain without trying all of them. Answers are remembered.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "checker/model/rules.h"

namespace bank::checker {

class UnknownSums {
 public:
  struct Item {
    Wide change = 0;
    uint32_t number = 0;   // the caller's
    uint32_t content = 0;  // items of equal content are only taken from the first on, in order
  };
  using Block = std::vector<uint32_t>;  // numbers of items
  struct Answer {
    std::vector<Block> blocks;  // smallest ones first, none empty
    bool complete = true;       // false: there may be more
  };

  // `items`: those of one content next to each other, in the order in which they are to be taken.
  explicit UnknownSums(std::vector<Item> items);

  // Valid until the next call.
  const Answer& For(Wide sum);

 private:
  void Choose(size_t from, Wide rest, size_t size, Answer* answer);

  std::vector<Item> items_;
  std::vector<Wide> reach_up_;               // by all items from here on
  std::vector<Wide> reach_down_;             // likewise
  size_t tail_ = 0;                          // tail_sums_ are the sums of the items from here on
  absl::flat_hash_set<uint64_t> tail_sums_;  // modulo 2^64
  std::vector<bool> taken_;
  Block chosen_;
  uint64_t steps_ = 0;
  bool any_size_ = false;
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, Answer> answers_;
};

}  // namespace bank::checker
