// A branch whose log holds nothing but the bootstrap, or nothing at all: it is new, or its folder
// was wiped.
//
// The two look alike to the branch, and the difference matters: what it held before its folder was
// wiped may have been acknowledged because of it. If it voted, a majority of the forgetful and the
// lagging could elect a leader that lacks it. So before such a branch votes, campaigns or confirms
// a read it is filled by a leader (driver_rebuild.cc). A branch that joins later, and one that was
// founded as a standby and may have become a voter since, wait for that leader. But in a new bank
// there is none; so a bootstrap voter asks the other voters what they hold (driver_challenge.cc):
//   - one that holds more than the bootstrap proves that the bank exists: the branch notes durably
//     that it has to be filled;
//   - as many that hold nothing as leave too few for a majority with this branch prove that
//     nothing was ever acknowledged: the bank is new. Of three voters these are both others, of
//     five three of the others;
//   - as many that are being rebuilt as a bank can lose (one of three, two of five) mean that this
//     branch is not one more, but only when all others have answered and none of them holds more.
//     One that is silent may hold what this branch forgot: its answer wins, however late. That
//     costs nothing, since without those that are being rebuilt all others are needed for a
//     majority.
// Until then it waits. Answers may come in any order and again: of each voter the newest counts. A
// bank is therefore founded by all of three voters or four of five, and nobody has to tell a wiped
// branch that it is one.
#include <algorithm>

#include "branch/replication/driver/driver_state.h"
#include "common/planted.h"

namespace bank::replication {

bool Driver::State::HoldsNothing(const storage::Recovered& recovered) const {
  const bool is_the_bank = VoterCount() == 1 && IsVoter(options.self);
  return !is_the_bank && !recovered.rebuilding && recovered.hard_state.term <= Term(1) &&
         recovered.hard_state.vote == BranchId(0) && recovered.vote_floor == Term(0) &&
         !recovered.snapshot.has_value() && recovered.first_index == LogIndex(1) &&
         recovered.entries.size() <= 1;
}

bool Driver::State::IsVoter(BranchId id) const {
  return std::any_of(options.initial_members.begin(), options.initial_members.end(),
                     [&](const Member& member) { return member.voter && member.id == id; });
}

size_t Driver::State::VoterCount() const {
  return static_cast<size_t>(std::count_if(options.initial_members.begin(),
                                           options.initial_members.end(),
                                           [](const Member& member) { return member.voter; }));
}

void Driver::State::AskWhetherTheBankExists() {
  if (!IsVoter(options.self)) {
    bootstrap_ask_again_ms = kNever;  // there is a bank, or somebody else founds it
    return;
  }
  bootstrap_ask_again_ms = now_ms + options.heartbeat_ms;
  for (const Member& member : options.initial_members) {
    if (member.voter && member.id != options.self) AskBack(member.id);
  }
}

void Driver::State::NoteWhetherTheBankExists(BranchId from, const ChallengeResult& said) {
  if (!bootstrapping) return;
  if (said.holds) return FindWiped();
  if (!IsVoter(from)) return;
  (said.lost ? hold_nothing : lost_theirs).erase(from);
  (said.lost ? lost_theirs : hold_nothing).insert(from);
  // Should it have voted before it was wiped after all: not in a term that anyone has reached.
  vote_floor = std::max(vote_floor, said.term);
  const size_t may_be_lost = VoterCount() - VoterCount() / 2 - 1;
  const bool is_new = hold_nothing.size() > may_be_lost;
  const bool all_answered = hold_nothing.size() + lost_theirs.size() == VoterCount() - 1 ||
                            IsPlanted(Planted::kLostEndsIntroduction);
  const bool is_not_one_more =
      all_answered && lost_theirs.size() >= std::max<size_t>(may_be_lost, 1);
  if (is_new || is_not_one_more) bootstrapping = false;
}

void Driver::State::FindWiped() {
  bootstrapping = false;
  rebuilding = true;
  ports.WriteRebuilding();
}

}  // namespace bank::replication
