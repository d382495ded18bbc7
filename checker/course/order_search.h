// Is there an order of several customers' operations on one balance that explains every answer?
//
// Each chain is what one customer did, in its order; the answers are part of it, so what each
// operation did to the balance is known, and the balance depends only on how far every chain is.
// States are remembered by how many chains have which rest left: chains with equal rests are
// interchangeable. What sees the balance and does not change it happens as soon as it can. The
// question is NP-hard; in doubt there is no answer. Pure: the time is the caller's.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace bank::checker::course {

struct Step {
  enum class Kind {
    kAdd,    // the balance changes by `amount`; it must be from 0 to 2^63-1 afterwards
    kDrift,  // as kAdd, wherever that leads: a write whose own answer is not judged here
    kSee,    // the balance is `amount`
    kBelow,  // the balance is less than `amount`: a refused withdrawal
    kFull,   // the balance is too large for a deposit of `amount`: a refused deposit
  };
  Kind kind = Kind::kAdd;
  int64_t amount = 0;

  bool operator==(const Step&) const = default;
};

inline bool Adds(const Step& step) {
  return step.kind == Step::Kind::kAdd || step.kind == Step::Kind::kDrift;
}

using Chain = std::vector<Step>;

// Sums of amounts; a type of the compilers, not of the standard.
__extension__ using Wide = __int128;

enum class OrderFound { kYes, kNo, kOutOfTime };

OrderFound FindOrder(int64_t start, const std::vector<Chain>& chains,
                     const std::function<bool()>& out_of_time);

// A set of chains' steps that alone have no order, of which none can be spared: pairs of chain and
// step. Only kSee steps are spared; what is left of them is returned, and it may be none. Call it
// when FindOrder() says kNo. Out of time: not the smallest.
std::vector<std::pair<size_t, size_t>> ContradictingSights(
    int64_t start, std::vector<Chain> chains, const std::function<bool()>& out_of_time);

}  // namespace bank::checker::course
