// What cannot be true although every field is in its range (message.h), and would do harm that no
// later message undoes.
//
// A term far ahead of everybody's would end all elections: terms have an end. So one that is more
// than kTermStepMax ahead is not believed before the branch that is said to have it has confirmed
// it (driver_challenge.cc). A branch that was led to a high term step by step is thus not parted
// from the others.
//
// Whoever contradicts what is committed here would make the engine stop the process, on purpose:
// two branches that disagree on that are beyond repair. But the bytes may come from nobody at all,
// so they are refused and reported instead; the branch itself has not changed its mind.
#include <variant>

#include "branch/replication/driver/driver_state.h"

namespace bank::replication {

bool Driver::State::Refuses(BranchId from, const Message& message) {
  const auto* const answer = std::get_if<ChallengeResult>(&message);
  if (answer != nullptr && IsAsked(from, *answer)) return false;
  if (IsTooFar(std::visit([](const auto& m) { return m.term; }, message))) {
    ports.OnRefused(from, "its term is too far ahead of this branch's");
    const auto* const vote = std::get_if<RequestVote>(&message);
    const bool no_term_to_adopt =
        vote != nullptr && engine.leader() != BranchId(0) && !vote->disrupt_leader;
    if (!no_term_to_adopt) AskBack(from);
    return true;
  }
  if (!Contradicts(message)) return false;
  ports.OnRefused(from, "it contradicts what is committed here");
  return true;
}

bool Driver::State::IsTooFar(Term term) const {
  return term > engine.term() && term.value - engine.term().value > kTermStepMax;
}

// Whether this branch holds another entry at `index`, and knows it to be committed.
bool Driver::State::Contradicts(LogIndex index, Term term) const {
  if (index > engine.commit_index()) return false;
  if (snapshot.has_value() && snapshot->index == index) return snapshot->term != term;
  const storage::Entry* const entry = log.Find(index);
  return entry != nullptr && entry->term != term;
}

bool Driver::State::Contradicts(const Message& message) const {
  if (installing.has_value()) return false;
  if (const auto* install = std::get_if<InstallSnapshot>(&message)) {
    return Contradicts(install->snapshot.index, install->snapshot.term);
  }
  const auto* const append = std::get_if<AppendEntries>(&message);
  // One of an older term is answered, and not looked at.
  if (append == nullptr || append->term < engine.term()) return false;
  LogIndex index = append->prev_log_index;
  if (Contradicts(index, append->prev_log_term)) return true;
  for (const storage::Entry& entry : append->entries) {
    index = index.Next();
    if (index > engine.commit_index()) return false;
    if (Contradicts(index, entry.term)) return true;
  }
  return false;
}

}  // namespace bank::replication
