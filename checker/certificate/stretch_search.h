// StretchSearch: which operations of unknown outcome happened in a stretch of gaps, and where, so
// that every answer behind them is right?
//
// A search through the gaps in the order of positions. At each gap one operation after the other is
// placed, or the gap is left; the answers up to the next one must then be right. What answers tell
// decides nearly everything beforehand: between two of them that tell an account's balance, the
// operations placed have to add up to the difference, so the last gap between them has to make up
// for what is missing. A dead end goes back to the newest choice that had to do with it (conflict-
// directed backjumping, Prosser 1993): gaps since the accounts in question were known. Choices that
// make up for nothing at once are tried after all others. Where nothing is left to explain the
// answers because others in the stretch have used it, it is borrowed, and then taken back from one
// of them. One owner.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "checker/certificate/placement_problem.h"
#include "checker/certificate/stretch_state.h"
#include "checker/certificate/unknown_supply.h"
#include "checker/model/budget.h"

namespace bank::checker {

class StretchSearch {
 public:
  enum class Answer : uint8_t {
    kFound,
    kNone,     // nothing does, with what may be used
    kLimited,  // nothing does with so little effort
    kUnknown,  // the budget is over, or it goes round in circles
  };
  static constexpr uint8_t kAllEffort = UINT8_MAX;

  // Gaps, both inclusive.
  struct Stretch {
    uint32_t first = 0;
    uint32_t last = 0;
  };
  struct Options {
    Budget budget;
    uint8_t effort_max = kAllEffort;  // spent on choices that make up for nothing
    // Not what other stretches have used; else it may be used all the same, but for `kept`.
    bool borrows = false;
    const absl::flat_hash_set<uint32_t>* kept = nullptr;  // contents
    std::optional<Wide> total;  // what all accounts must hold behind the stretch
  };
  struct Placed {
    uint32_t gap = 0;
    uint32_t number = 0;  // in the gap
    uint32_t content = 0;
  };

  // All are borrowed. What is placed is taken from the supply during the search only.
  StretchSearch(const PlacementProblem& problem, const AccountNames& names, UnknownSupply* supply);

  Answer Find(const Stretch& stretch, const Options& options);
  // kFound: in the order of positions.
  std::vector<Placed> placed() const;
  // Not kFound: with what other stretches use there may be a way.
  bool is_short_elsewhere() const { return is_short_elsewhere_; }
  // kNone.
  PlacementFailure failure() const;

 private:
  using Gap = PlacementProblem::Gap;
  using Interval = PlacementProblem::Interval;
  static constexpr uint32_t kNone = PlacementProblem::kNone;
  static constexpr uint32_t kLeave = kNone - 1;

  enum class Stage : uint8_t { kEarlier, kLeave, kLeft, kExact, kPartial, kAny, kOver };
  // A choice: what stands next in a gap.
  struct Level {
    uint32_t gap = 0;
    uint32_t placed = 0;       // in the gap before it
    uint32_t chosen = kNone;   // a content, or kLeave
    uint32_t earlier = kNone;  // what was chosen when the search was here before, and came further
    Stage stage = Stage::kEarlier;
    bool has_last_chance = false;  // an account misses something, and this is the last gap for it
    uint8_t cost = 0;              // of the choice
    uint32_t spent = 0;            // by the choices before it, since nothing was missing
    uint32_t next = 0;
    std::vector<uint32_t> candidates;
    // What had to do with dead ends behind it: all levels from `low` on, and whoever used up what
    // was wanted.
    uint32_t low = kNone;
    bool is_short = false;
    bool is_borrowed = false;  // the choice was used up elsewhere in the stretch
    StretchState::Mark before;
  };
  // What an account misses, and how many operations may still make up for it.
  struct Need {
    uint64_t room = 0;
    uint32_t account = 0;
    Wide missing = 0;
  };

  // Forward.
  void Reach(uint32_t gap);    // begins a level there
  bool Advance(Level* level);  // chooses anew and goes on; false: nothing is left to choose
  bool Choose(Level* level);
  Stage NextStage(const Level& level);
  static uint8_t CostOf(Stage stage);
  int Upset(uint32_t content) const;
  bool MayLeave(Level* level);
  bool CanMakeUp(const Level& level, uint64_t left, uint32_t content);
  void Gather(Level* level);
  bool Fits(Level* level, uint32_t content);
  void Place(Level* level, uint32_t content);
  bool PassEvents(uint32_t gap);  // those between `gap` and the next
  bool EndFits();

  // Back.
  bool BackUp();
  bool ChooseAsEarlier(Level* level);
  bool IsLeft(const Level& level, uint32_t content, uint32_t first_user);
  bool TakesTurn(const Level& level, uint32_t content);
  void Undo(Level* level);
  void BlameAccount(uint32_t account);
  void MergeBlame(Level* level);
  bool TryHarder();
  void TryAgain(Level* level);
  void BackTo(uint32_t target);
  std::optional<uint32_t> WhoLent() const;
  void TakeBack(uint32_t user);

  // How many operations can still be placed in the interval behind this gap.
  uint64_t RoomBehind(uint32_t gap, const Interval& interval) const {
    return room_[std::min(interval.last_gap, stretch_.last) + 1] - room_[gap + 1];
  }
  // Of the gaps of the stretch.
  uint32_t& LevelAt(uint32_t gap) { return level_at_gap_[gap - stretch_.first]; }
  uint8_t& EffortAt(uint32_t gap) { return effort_[gap - stretch_.first]; }
  bool IsOver();

  const PlacementProblem& problem_;
  UnknownSupply& supply_;
  std::vector<uint64_t> room_;  // positions in all gaps before
  StretchState state_;

  Stretch stretch_;
  Options options_;
  uint64_t steps_ = 0;
  bool is_over_ = false;
  bool is_limited_ = false;
  bool is_short_elsewhere_ = false;
  std::vector<Level> levels_;
  std::vector<Need> needs_;             // of CanMakeUp
  std::vector<uint32_t> level_at_gap_;  // the first one, by gap of the stretch, as below
  std::vector<uint8_t> effort_;         // how much may be spent on choices that make up for nothing
  std::vector<std::vector<uint32_t>> earlier_;  // choices given up for those before them
  std::vector<uint32_t> taken_back_;            // how often what was chosen was wanted elsewhere
  uint32_t furthest_ = 0;                       // gap
  uint64_t taken_back_total_ = 0;
  // Why the last step failed.
  uint32_t low_ = kNone;
  bool is_short_ = false;
  // Operations used earlier in the stretch may be used as well, from level `borrow_from_` up to a
  // gap: to see what is wanted most.
  bool may_borrow_ = false;
  uint32_t borrow_from_ = 0;
  uint32_t borrow_until_ = 0;
  PlacementFailure failure_;
};

}  // namespace bank::checker
