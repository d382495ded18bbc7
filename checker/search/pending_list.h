// PendingList: the operations that a search has still to put in order, by time and by position. Two
// doubly linked lists, so that what is taken can be put back at no cost (Knuth's dancing links), in
// the reverse order. One owner.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "checker/model/operation.h"

namespace bank::checker {

class PendingList {
 public:
  // Invocations and completions in the order of time; at equal stamps operations overlap.
  struct Link {
    uint32_t op = 0;  // place in `operations`
    bool is_return = false;
    uint32_t previous = 0;
    uint32_t next = 0;  // 0: end
  };

  // `operations`: by invocation, all with an end. Borrowed; must stay as they are until the end.
  explicit PendingList(const std::vector<Operation>& operations) : operations_(operations) {}
  void MakeList();
  void MakePlaces();

  uint32_t First() const { return links_[0].next; }  // 0: nothing is left
  const Link& at(uint32_t link) const { return links_[link]; }
  // Of what is left, what is over first; nothing invoked behind that may come before it.
  uint32_t FirstReturn() const;
  // Whether nothing is left that names a position before that of `op`; true if it names none, or
  // there was no MakePlaces().
  bool IsNextPlace(uint32_t op) const;
  // Whether nothing is left that stands before the answer of a read of position `index`.
  bool IsReached(uint64_t index) const;
  bool HasPlace(uint32_t op) const { return !place_of_.empty() && place_of_[op] != 0; }

  // `link`: of an invocation.
  void Take(uint32_t link);
  void PutBack(uint32_t link);

 private:
  void Unlink(uint32_t link);
  void Relink(uint32_t link);

  const std::vector<Operation>& operations_;
  std::vector<Link> links_;            // [0] is the head
  std::vector<uint32_t> return_link_;  // by operation
  // Operations with positions, by place; [0] is the head.
  std::vector<std::pair<uint32_t, uint32_t>> places_;
  std::vector<uint64_t> place_of_;    // 0: none
  std::vector<uint32_t> place_link_;  // by operation
  std::vector<uint32_t> at_place_;    // the operation, by link
};

}  // namespace bank::checker
