// What cannot be true although every field is in its range (message.h), and would do harm that no
// later message undoes.
//
// A term far ahead of everybody's would end all elections: terms have an end. So one that is more
// than kTermStepMax ahead is not believed before the branch that is said to have it has confirmed
// it: it is sent a random number, at the address this branch knows, and must send it back (a read
// probe, which every branch answers with its term). Whoever speaks in its name does not see that
// number. A branch that was led to a high term step by step is thus not parted from the others.
//
// Whoever contradicts what is committed here would make the engine stop the process, on purpose:
// two branches that disagree on that are beyond repair. But the bytes may come from nobody at all,
// so they are refused and reported instead; the branch itself has not changed its mind.
#include <variant>

#include "branch/replication/driver/driver_state.h"

namespace bank::replication {

bool Driver::State::Refuses(BranchId from, const Message& message) {
  const Term term = std::visit([](const auto& m) { return m.term; }, message);
  if (term > engine.term() && term.value - engine.term().value > kTermStepMax) {
    const auto* const answer = std::get_if<ReadProbeResult>(&message);
    const auto asked = questions.find(from);
    if (answer != nullptr && asked != questions.end() && asked->second.number == answer->round) {
      questions.erase(asked);
      ReachTerm(term, from, /*disrupt_leader=*/true);
    } else {
      ports.OnRefused(from, "its term is too far ahead of this branch's");
      AskBack(from, message);
    }
    return true;
  }
  if (!Contradicts(message)) return false;
  ports.OnRefused(from, "it contradicts what is committed here");
  return true;
}

void Driver::State::AskBack(BranchId from, const Message& message) {
  const auto* const vote = std::get_if<RequestVote>(&message);
  const bool knows_leader = engine.leader() != BranchId(0);
  if (vote != nullptr && knows_leader && !vote->disrupt_leader) return;  // no term to adopt
  Question& question = questions[from];
  if (question.number != 0 && now_ms < question.asked_ms + options.heartbeat_ms) return;
  question = {1 + random() % kReadRoundMax, now_ms};
  ports.Send(from, ReadProbe{engine.term(), question.number});
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
