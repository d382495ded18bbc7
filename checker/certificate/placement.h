// Placement: which operations of unknown outcome happened, and at which unheld positions, so that
// every answer is right?
//
// The gaps fall into stretches: where the answers tell all about every account between two gaps,
// what was placed before does not matter behind. Each stretch is searched by itself
// (stretch_search.h); what they have in common is the supply. Where one finds nothing left, it
// takes what another one uses, which then has to find another way, and so on: an augmenting path,
// as in matchings (Kuhn 1955). So a choice far back that proves wrong costs what the stretches on
// that path cost, not all that lies between. kNone is a proof: nothing explains the answers of a
// stretch even with all that others use. One owner. Memory: about 150 bytes for each gap.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "checker/certificate/placement_problem.h"
#include "checker/certificate/stretch_search.h"
#include "checker/certificate/unknown_supply.h"
#include "checker/model/budget.h"

namespace bank::checker {

class Placement {
 public:
  enum class Answer : uint8_t { kFound, kNone, kUnknown };

  // `problem` and `names` are borrowed. `budget`: for all that is searched.
  Placement(const PlacementProblem& problem, const AccountNames& names, const Budget& budget);

  // `total`: what all accounts must hold in the end.
  Answer Find(std::optional<Wide> total);
  // kFound: the operations placed, with their positions, in that order.
  std::vector<Operation> Placed() const;
  // kNone: the answer that the search could not get past.
  PlacementFailure failure() const { return search_.failure(); }

 private:
  using Interval = PlacementProblem::Interval;
  using Stretch = StretchSearch::Stretch;
  using Solution = std::vector<StretchSearch::Placed>;
  using Contents = absl::flat_hash_set<uint32_t>;
  // What a stretch had before it was changed.
  struct Change {
    uint32_t stretch = 0;
    Solution before;
  };

  void ReserveWhatIsForced();
  std::optional<uint32_t> OnlyChoice(uint32_t gap, uint32_t account,
                                     const Interval& interval) const;
  void FindStretches();
  uint32_t StretchAt(uint32_t gap) const;

  Answer Solve(uint32_t stretch);
  StretchSearch::Answer Search(uint32_t stretch, uint8_t effort_max, bool borrows,
                               const Contents* kept);
  // Finds another way for the stretch, which uses nothing by now, and for all from whom it takes
  // something that is not in `kept` yet. False: nothing has changed.
  bool Augment(uint32_t stretch, uint8_t effort_max, int depth, Contents* kept);
  bool FindAnotherWay(uint32_t stretch, uint8_t effort_max, int depth, Contents* kept);
  void Use(uint32_t stretch, Solution solution);
  void RollBack(size_t changes);

  const PlacementProblem& problem_;
  const Budget budget_;
  UnknownSupply supply_;
  StretchSearch search_;
  std::vector<Stretch> stretches_;
  std::vector<Solution> solutions_;
  std::vector<Change> changes_;
  std::optional<Wide> total_;
  bool is_none_ = false;  // the last search proved that nothing explains the answers
};

}  // namespace bank::checker
