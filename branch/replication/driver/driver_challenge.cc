// The call-back: what would do lasting harm, if nobody but a stranger had said it, is believed only
// when the branch in whose name it was said says it again.
//
// Whoever reaches the branches' port can speak in any branch's name. Most of what he can say costs
// an election at worst. But a branch that is told that it lost what it acknowledged stops for good;
// one that is no member any more does not campaign; one that hears of a bank has itself filled; one
// that hears of none votes; and terms far ahead of everybody's would end all elections. So for such
// a message nothing is done but ask: a random number goes to the address that this branch knows for
// the speaker, and the answer has to carry it. A stranger does not see it. Every branch answers, in
// whatever state it is, with all that it holds true of the asker, as far as that does something.
//
// An answer can be late, but it is true of some moment since the question. What is built on it
// bears that: what was acknowledged in a term stays acknowledged in it, a newer membership than the
// answer's wins, and of the answers to a new branch the newest counts.
//
// Acknowledgements are too many to ask each back, and made-up ones would let a leader commit what
// nobody holds, and confirm to a branch that it lost it. So each carries the life of its process, a
// random number that only those hear whom the branch answers. A leader counts those of the life
// that it was told in a call-back; of another it keeps the newest, and asks.
#include "branch/replication/driver/driver_state.h"
#include "common/planted.h"

namespace bank::replication {

// At most once a heartbeat. While nothing has come back it is the same number: the answer to the
// first question may take longer than that.
void Driver::State::AskBack(BranchId from) {
  const auto [at, is_first] = questions.try_emplace(from);
  Question& question = at->second;
  if (!is_first && now_ms < question.asked_ms + options.heartbeat_ms) return;
  if (question.nonce == 0) question.nonce = 1 + random() % kNonceMax;
  question.asked_ms = now_ms;
  ports.Send(from, Challenge{engine.term(), question.nonce});
}

// What was said in the name of `from` would be news.
void Driver::State::Doubt(BranchId from, const ChallengeResult& said) {
  if (IsPlanted(Planted::kHearsayBelieved)) return Believe(from, said);
  AskBack(from);
}

void Driver::State::OnChallenge(BranchId from, const Challenge& challenge) {
  ChallengeResult answer{.term = engine.term(), .nonce = challenge.nonce};
  if (leads) answer.acknowledged = engine.match_index(from);
  // One that joins is in the membership in force before it is in the committed one.
  if (IsGone(from) && FindMember(engine.members(), from) == nullptr) {
    answer.no_member_since = configuration_index;
  }
  answer.holds = log.last_index() > LogIndex(1) || last_applied > LogIndex(1);
  answer.lost = rebuilding;
  answer.life = life;
  ports.Send(from, answer);
}

bool Driver::State::IsAsked(BranchId from, const ChallengeResult& answer) const {
  const auto asked = questions.find(from);
  return asked != questions.end() && answer.nonce != 0 && asked->second.nonce == answer.nonce;
}

void Driver::State::OnChallengeResult(BranchId from, const ChallengeResult& answer) {
  if (!IsAsked(from, answer)) return;
  questions[from].nonce = 0;
  lives[from] = answer.life;
  Believe(from, answer);
  const auto kept = unconfirmed.extract(from);
  if (stopped || kept.empty() || kept.mapped().life != answer.life) return;
  Message message = kept.mapped();
  OnMessage(from, message);
}

bool Driver::State::IsSaidBy(BranchId from, const AppendEntriesResult& result) {
  if (const auto known = lives.find(from); known != lives.end() && known->second == result.life) {
    return true;
  }
  if (IsPlanted(Planted::kHearsayBelieved)) return true;
  unconfirmed[from] = result;
  AskBack(from);
  return false;
}

void Driver::State::Believe(BranchId from, const ChallengeResult& said) {
  if (IsTooFar(said.term)) ReachTerm(said.term, from, /*disrupt_leader=*/true);
  NoteWhetherTheBankExists(from, said);
  if (OutdatesMembership(said.no_member_since)) SetRemoved(true, from);
  GiveUpIfBehind(from, said);
}

}  // namespace bank::replication
