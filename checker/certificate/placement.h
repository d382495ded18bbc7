// Placement: which operations of unknown outcome happened, and at which unheld positions, so that
// every answer is right?
//
// A search through the gaps in the order of positions. At each gap one operation after the other is
// placed, or the gap is left; the answers up to the next one must then be right. What answers tell
// decides nearly everything beforehand: between two of them that tell an account's balance, the
// operations placed have to add up to the difference, so the last gap between them has to make up
// for what is missing. A dead end goes back to the newest choice that had to do with it (conflict-
// directed backjumping, Prosser 1993): gaps since the accounts in question were known. Choices that
// make up for nothing at once are tried after all others. Where nothing is left to explain the
// answers because others have used it, it is borrowed, and then taken back from one of them. kNone
// is a proof: nothing explains the answers even with all that others use. One owner. Memory: about
// 150 bytes for each gap.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "checker/certificate/placement_problem.h"
#include "checker/certificate/unknown_supply.h"

namespace bank::checker {

class Placement {
 public:
  enum class Answer : uint8_t { kFound, kNone, kUnknown };
  // The answer that the search could not get past, and the state in which it is wrong.
  struct Failure {
    uint32_t event = PlacementProblem::kNone;
    BankView state;
    uint64_t since = 0;  // position from which on it matters what happened
  };

  // `steps_max`: what may be tried; each step takes some 100 ns.
  Placement(const PlacementProblem& problem, const AccountNames& names, uint64_t steps_max);

  // `total`: what all accounts must hold in the end.
  Answer Find(std::optional<Wide> total);
  // kFound: the operations placed, with their positions, in that order.
  std::vector<Operation> Placed() const;
  // kNone.
  Failure failure() const;

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
    bool is_borrowed = false;  // the choice was used up elsewhere
    size_t trail = 0;
    Sum money;
    Sum accounts;
  };
  struct State {
    AccountView view;
    uint32_t interval = 0;
    Wide missing = 0;
    uint32_t uneven_at = kNone;  // place in uneven_
  };
  // What an account misses, and how many operations may still make up for it.
  struct Need {
    uint64_t room = 0;
    uint32_t account = 0;
    Wide missing = 0;
  };
  struct Saved {
    uint32_t account = 0;
    uint32_t interval = 0;
    AccountView view;
    Wide missing = 0;
  };

  void ReserveWhatIsForced();
  std::optional<uint32_t> OnlyChoice(uint32_t gap, uint32_t account,
                                     const Interval& interval) const;

  // Forward.
  bool Advance(Level* level);  // chooses anew and goes on; false: nothing is left to choose
  bool Choose(Level* level);
  Stage NextStage(const Level& level) const;
  static uint8_t CostOf(Stage stage);
  bool MayLeave(Level* level);
  bool CanMakeUp(const Level& level, uint64_t left, uint32_t content);
  void Gather(Level* level);
  bool Fits(Level* level, uint32_t content);
  void Place(Level* level, uint32_t content);
  bool PassEvents(uint32_t gap);  // those between `gap` and the next
  bool PassEvent(uint32_t event);
  void Reach(uint32_t gap);  // begins a level there
  bool EndFits();

  // Back.
  bool BackUp();
  bool ChooseAsEarlier(Level* level);
  bool IsLeft(const Level& level, uint32_t content, uint32_t first_user) const;
  bool TakesTurn(const Level& level, uint32_t content);
  void Undo(Level* level);
  void BlameAccount(uint32_t account);
  void MergeBlame(Level* level);
  bool TryHarder();
  void TryAgain(Level* level);
  void BackTo(uint32_t target);
  std::optional<uint32_t> WhoLent() const;
  void TakeBack(uint32_t user);

  const Interval* IntervalOf(uint32_t account) const;
  bool IsUneven(uint32_t account) const;
  // How many operations can still be placed in the interval behind this gap.
  uint64_t RoomBehind(uint32_t gap, const Interval& interval) const {
    return room_[interval.last_gap + 1] - room_[gap + 1];
  }
  void Set(uint32_t account, const AccountView& view, uint32_t interval, Wide missing);
  void NoteUneven(uint32_t account);
  BankView StateFor(const Operation& op) const;

  const PlacementProblem& problem_;
  const AccountNames& names_;
  const uint64_t steps_max_;
  uint64_t steps_ = 0;
  std::optional<Wide> total_wanted_;
  UnknownSupply supply_;
  std::vector<uint64_t> room_;          // positions in all gaps before
  std::vector<uint32_t> level_at_gap_;  // the first one
  std::vector<State> accounts_;
  std::vector<uint32_t> uneven_;  // accounts whose interval lacks something
  std::vector<Saved> trail_;
  std::vector<Level> levels_;
  std::vector<Need> needs_;  // of CanMakeUp
  std::vector<uint8_t>
      effort_;             // by gap: how much may be spent on choices that make up for nothing
  uint32_t furthest_ = 0;  // gap
  std::vector<std::vector<uint32_t>> earlier_;  // by gap: choices given up for those before them
  Sum money_;
  Sum account_count_;
  // Why the last step failed.
  uint32_t low_ = kNone;
  bool is_short_ = false;
  // Operations used elsewhere may be used as well, from level `borrow_from_` up to a gap: to see
  // what is wanted most.
  bool may_borrow_ = false;
  uint32_t borrow_from_ = 0;
  uint32_t borrow_until_ = 0;
  std::vector<uint32_t> taken_back_;  // by gap: how often what was chosen was wanted elsewhere
  uint64_t taken_back_total_ = 0;
  Failure failure_;
};

}  // namespace bank::checker
