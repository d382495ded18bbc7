// TransferSums: which transfers, taken together, change the balances by a given sum.
//
// Sums are numbers modulo 2^64 (bank_index.h). There are two sorts of transfers: free
// ones, that have to happen anyway, and costly ones, of which as few as possible are wanted. Sets
// are found by meeting in the middle: sums of one part are kept in a table, and those of the other
// looked up (Horowitz and Sahni 1974). Of transfers of equal content the first ones are taken, and
// free ones before costly ones. One owner. Memory: 40 bytes for each of up to 2^18 sums.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace bank::checker {

class TransferSums {
 public:
  struct Free {
    uint64_t change = 0;
    uint32_t step = 0;
    uint32_t content = 0;
  };
  struct Costly {
    uint64_t change = 0;
    uint32_t content = 0;
    std::vector<uint32_t> steps;  // all of this content, in the order in which to take them
  };
  struct Block {
    size_t sum = 0;  // which of those that were asked for
    std::vector<uint32_t> steps;
    size_t costly = 0;
  };
  static constexpr size_t kFreeMax = 32;
  // Sets with fewer costly ones are found one number after the other, all larger ones at once.
  static constexpr size_t kMany = 4;

  // `free`: those of one content side by side, in the order in which to take them; at most
  // kFreeMax.
  TransferSums(std::vector<Free> free, std::vector<Costly> costly);

  // Appends the sets that give one of `sums` with `count` costly ones, or, if that is kMany, with
  // so many or more. False if there may be others.
  bool Find(const std::vector<uint64_t>& sums, size_t count, std::vector<Block>* blocks);
  // All costly ones together.
  size_t costly() const { return costly_total_; }

 private:
  // A set of one part, and the sum it gives.
  struct Part {
    uint64_t sum = 0;
    uint64_t set = 0;     // free ones, by bit
    uint64_t costly = 0;  // costly ones: digits of 16 bits, or of counts (CostlySets)
    uint32_t next = 0;    // in the table, of the same sum; 0: end
  };
  using Parts = std::vector<Part>;

  Parts FreeSets(size_t from, size_t to) const;
  bool Choose(size_t count, size_t from, const Part& part, Parts* parts) const;
  Parts CostlySets(size_t from, size_t to) const;
  static Parts Product(const Parts& a, const Parts& b);
  bool Match(const std::vector<uint64_t>& sums, Parts table, const Parts& others, bool many,
             std::vector<Block>* blocks);
  bool Accept(size_t sum, const Part& a, const Part& b, bool many, std::vector<Block>* blocks);

  std::vector<Free> free_;
  std::vector<Costly> costly_;
  size_t costly_total_ = 0;
  uint64_t follows_ = 0;        // free ones that have the content of the one before
  std::vector<uint64_t> same_;  // by costly content: the free ones of that content
  size_t split_ = 0;            // many: contents from here on are in the table
};

}  // namespace bank::checker
