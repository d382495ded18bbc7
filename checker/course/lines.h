// Lines: what each entry of an input was told, as chains for the search of an order, and how its
// answers stand in a fault.
//
// Pure.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "checker/course/answers.h"
#include "checker/course/grade.h"
#include "checker/course/order_search.h"
#include "course/script.h"

namespace bank::checker::course {

// The "operation" of a final balance.
inline constexpr size_t kFinal = std::numeric_limits<size_t>::max();

// An entry's chain, and which operation each of its steps is.
struct Line {
  Chain chain;
  std::vector<size_t> operations;

  void Push(Step step, size_t operation);
  void Drop(size_t step);
};

class Lines {
 public:
  Lines(const script::Script& script, const Answers& answers)
      : script_(script), answers_(answers) {}

  // Of the entry's first `end` operations. What is not read, is not there.
  Line Of(size_t entry, size_t end) const;
  // Only final balances are known: whether withdrawals worked is not. If the money suffices for all
  // of them whatever the order (MayFail), they did.
  Line OfFinal(size_t entry) const;

  // Whether the money may not suffice for every withdrawal, so that some may have failed.
  bool MayFail() const;
  // False: the result of some write is not read. Without it nothing is certain about the others,
  // and a note of `grade` says so.
  bool KnowsWrites(Grade* grade) const;

  std::string Place(size_t entry, size_t operation) const;
  // "element 2, event 1: customer 2's query (element 2, event 1 of the input) told 570".
  std::string Shown(size_t entry, size_t operation) const;

 private:
  const script::Script& script_;
  const Answers& answers_;
};

std::vector<Chain> ChainsOf(const std::vector<Line>& lines);

}  // namespace bank::checker::course
