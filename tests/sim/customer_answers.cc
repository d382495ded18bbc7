// A customer's answers: what each one says, and what it must not say.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/sim/customer.h"

namespace bank::sim {
namespace {

using ledger::Code;

std::string Answered(const ledger::Outcome& outcome) {
  return absl::StrCat(std::string(CodeName(outcome.code)), " at position ", outcome.position.value,
                      ", balance ", outcome.balance);
}

std::string KeyOf(const Operation& op) {
  return absl::StrCat("key ", op.session.value, "/", op.sequence);
}

}  // namespace

void Customer::OnReply(const Request& asked, const CallReply& reply) {
  const auto it = open_.find(asked.number);
  if (reply.fate != teller::Fate::kApplied) {
    if (it == open_.end()) return;
    if (reply.fate == teller::Fate::kNotApplied) ++it->second.not_applied;
    if (it->second.attempts == asked.attempts) RetrySoon(asked.number, asked.attempts);
    return;
  }
  if (reply.outcomes.size() != std::max<size_t>(asked.operations.size(), 1)) {
    return world_.Violate(absl::StrCat("a batch of ", asked.operations.size(), " commands has ",
                                       reply.outcomes.size(), " outcomes"));
  }
  const bool certain = it != open_.end() && it->second.asked == it->second.not_applied + 1;
  const bool first = it != open_.end();
  if (first) open_.erase(it);
  if (asked.purpose == Purpose::kSession) {
    if (first || opening_session_) OnSession(reply);
    return;
  }
  if (asked.purpose == Purpose::kWrite) CheckPlaces(asked, reply);
  for (size_t i = 0; i < asked.operations.size(); ++i) {
    OnOutcome(asked.purpose, certain, asked.operations[i], reply.outcomes[i]);
  }
}

void Customer::OnSession(const CallReply& reply) {
  const ledger::Outcome& outcome = reply.outcomes.front();
  if (outcome.code != Code::kOk || outcome.position == Position(0)) {
    return world_.Violate(absl::StrCat("a session is refused: ", Answered(outcome)));
  }
  opening_session_ = false;
  session_ = reply.session;
  next_sequence_ = 1;
  unanswered_.clear();
}

// A batch's writes stand at one place, all of them.
void Customer::CheckPlaces(const Request& asked, const CallReply& reply) {
  const ledger::Outcome* before = nullptr;
  for (size_t i = 0; i < asked.operations.size(); ++i) {
    const ledger::Outcome& outcome = reply.outcomes[i];
    if (history_[asked.operations[i]].read()) continue;
    if (outcome.replayed || outcome.code == Code::kUnknownSession ||
        outcome.code == Code::kKeyReused || outcome.code == Code::kForgotten) {
      return;
    }
    if (before != nullptr && outcome.position != before->position.Next()) {
      return world_.Violate(absl::StrCat("a batch was torn apart: ", Answered(*before),
                                         " is followed by ", Answered(outcome)));
    }
    before = &outcome;
  }
}

void Customer::OnOutcome(Purpose purpose, bool certain, size_t index,
                         const ledger::Outcome& outcome) {
  Operation& op = history_[index];
  if (op.read()) {
    if (op.fate == Operation::Fate::kOpen) Complete(&op, outcome);
    return;
  }
  if (outcome.replayed) ++world_.statistics.answers_replayed;
  if (op.fate == Operation::Fate::kDone) return OnAnswerAgain(purpose, outcome, &op);
  switch (outcome.code) {
    case Code::kUnknownSession:
      return OnExpired(certain && purpose == Purpose::kWrite, &op);
    case Code::kKeyReused:
      if (!op.contended) break;
      op.never_applied = true;
      return EndUnanswered(&op, Operation::Fate::kNothing);
    case Code::kForgotten:
      if (!op.contended) break;
      return EndUnanswered(&op, Operation::Fate::kLost);
    case Code::kWindowFull:
      // A lookup does not say what answers were seen, and so does not move the window to its key.
      if (purpose != Purpose::kResolve) break;
      return EndUnanswered(&op, Operation::Fate::kLost);
    case Code::kNotApplied:
      if (purpose != Purpose::kResolve && op.fate == Operation::Fate::kOpen && !op.contended) break;
      [[fallthrough]];
    default:
      if (purpose == Purpose::kResolve) {
        if (op.never_applied && outcome.code != Code::kNotApplied) {
          world_.Violate(absl::StrCat(KeyOf(op),
                                      " was answered 'not applied' each time it was sent, and is ",
                                      Answered(outcome)));
        }
        ++(outcome.code == Code::kNotApplied ? world_.statistics.writes_resolved_not_applied
                                             : world_.statistics.writes_resolved_applied);
      }
      return Complete(&op, outcome);
  }
  world_.Violate(absl::StrCat(KeyOf(op), " has no answer yet and is told ", Answered(outcome)));
}

// Not the first answer: it must be the same again, or say that nothing is known any more.
void Customer::OnAnswerAgain(Purpose purpose, const ledger::Outcome& outcome, Operation* op) {
  if (outcome.code == Code::kUnknownSession) {
    ++world_.statistics.late_retries_refused;
    op->told_expired = true;
    return;
  }
  const auto told = told_answered_below_.find(op->session);
  if (outcome.code == Code::kForgotten && told != told_answered_below_.end() &&
      op->sequence < told->second) {
    return;
  }
  if (purpose == Purpose::kKeyReuse) {
    // A key that was sealed answers that it was; the seal has no content to compare.
    if (outcome.code != Code::kKeyReused && op->outcome.code != Code::kNotApplied) {
      world_.Violate(absl::StrCat(KeyOf(*op), " came with other content and was answered ",
                                  Answered(outcome)));
    }
    ++world_.statistics.key_reuses_refused;
    return;
  }
  if (outcome.code != op->outcome.code || outcome.position != op->outcome.position ||
      outcome.balance != op->outcome.balance) {
    world_.Violate(absl::StrCat(KeyOf(*op), " was answered ", Answered(op->outcome), " and then ",
                                Answered(outcome)));
  }
}

void Customer::OnExpired(bool certain, Operation* op) {
  op->told_expired = true;
  if (certain) op->never_applied = true;
  if (op->session == session_) session_ = SessionId(0);
  if (op->fate != Operation::Fate::kNothing) EndUnanswered(op, Operation::Fate::kLost);
}

void Customer::EndUnanswered(Operation* op, Operation::Fate fate) {
  op->fate = fate;
  if (op->session == session_) unanswered_.erase(op->sequence);
}

void Customer::Complete(Operation* op, const ledger::Outcome& outcome) {
  op->fate = Operation::Fate::kDone;
  op->outcome = outcome;
  op->completed_at = world_.scheduler.now();
  seen_ = std::max(seen_, outcome.position);
  if (op->read()) {
    ++world_.statistics.reads;
    world_.statistics.reads_at_least += op->consistency == teller::Consistency::kAtLeast;
    world_.statistics.reads_local += op->consistency == teller::Consistency::kLocal;
    return;
  }
  if (op->session == session_) unanswered_.erase(op->sequence);
  ++world_.statistics.writes_acknowledged;
  if (outcome.code != Code::kOk) ++world_.statistics.writes_refused;
  world_.trace.Note("answered", op->session.value, op->sequence, outcome.position.value);
}

}  // namespace bank::sim
