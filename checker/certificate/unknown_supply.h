// UnknownSupply: the operations of unknown outcome that may be placed, by what they would change.
//
// Operations of one content are placed in the order of their invocations: swapping two of them
// never makes a history right. So a content with its number of uses is all there is to know. One
// owner.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "checker/certificate/placement_problem.h"
#include "checker/history/key_book.h"
#include "checker/model/operation.h"
#include "checker/model/rules.h"

namespace bank::checker {

class UnknownSupply {
 public:
  struct Content {
    Operation op;                   // as if it had been answered `ok`, without a balance
    std::vector<uint32_t> members;  // places in `unknown`, by invocation
    std::vector<int64_t> invocations;
    uint32_t key = 0;                 // one of several attempts with one key: which; 0: no
    std::vector<uint32_t> users;      // whoever uses it, in order
    std::vector<uint32_t> elsewhere;  // gaps of other stretches that use it, ascending
    // Gaps where nothing else will do, ascending.
    std::vector<uint32_t> reserved;
    std::vector<int64_t>
        reserved_slack;  // how many more uses before it leave enough, by `reserved`
  };

  // What can never be carried out is left out. Both are borrowed.
  UnknownSupply(const PlacementProblem& problem, const AccountNames& names);

  const Content& at(uint32_t content) const { return contents_[content]; }
  size_t size() const { return contents_.size(); }
  // Contents that concern an account, and those that change its balance by so much.
  const std::vector<uint32_t>& Touching(uint32_t account) const;
  const std::vector<uint32_t>& Changing(uint32_t account, Wide change) const;

  // There is no other way to explain the answers than this content at this gap, behind all those
  // reserved so far. `return_min`: of the operations behind the gap.
  void Reserve(uint32_t content, uint32_t gap, int64_t return_min);
  void SettleReserves();

  // Whether there is any that had been invoked.
  bool Exists(uint32_t content, int64_t return_min) const {
    return contents_[content].invocations.front() <= return_min;
  }
  // And whether one is left, as far as users from `first_user` on are concerned.
  bool IsLeft(uint32_t content, uint32_t gap, int64_t return_min, uint32_t first_user) const;
  // Whether one is left, besides, by what other stretches use.
  bool IsLeftElsewhere(uint32_t content, uint32_t gap, int64_t return_min,
                       uint32_t first_user) const;
  // A stretch uses one for good, or no longer.
  void Occupy(uint32_t content, uint32_t gap);
  void Vacate(uint32_t content, uint32_t gap);
  // Stretches use more than there are.
  bool IsOverdrawn(uint32_t content) const;
  // Gaps of the stretches that use `content`, or another attempt with its key, and may be asked to
  // do without it.
  std::vector<uint32_t> Occupants(uint32_t content) const;
  // How many are left for nobody in particular.
  int64_t Spare(uint32_t content) const {
    const Content& c = contents_[content];
    return std::ssize(c.members) - std::ssize(c.users) - std::ssize(c.elsewhere) -
           std::ssize(c.reserved);
  }
  // Who has to give one back before another may use it, ascending.
  const std::vector<uint32_t>& Users(uint32_t content) const;
  void Take(uint32_t content, uint32_t gap, uint32_t user);
  void GiveBack(uint32_t content, uint32_t gap);
  void GiveAllBack();

 private:
  static bool IsReserved(const Content& content, uint32_t gap);
  int64_t ReturnMin(uint32_t gap) const { return problem_.gaps[gap].return_min; }

  const PlacementProblem& problem_;
  std::vector<Content> contents_;
  std::vector<std::vector<uint32_t>> by_account_;
  absl::flat_hash_map<std::pair<uint32_t, int64_t>, std::vector<uint32_t>> by_change_;
  std::vector<std::vector<uint32_t>> key_users_;  // by key
  std::vector<std::vector<uint32_t>> key_gaps_;   // likewise, of other stretches
  std::vector<uint32_t> none_;
};

}  // namespace bank::checker
