#include "branch/teller/teller.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "branch/teller/own_write.h"
#include "branch/teller/session_ids.h"
#include "common/check.h"
#include "common/planted.h"
#include "spdlog/spdlog.h"

namespace bank::teller {
namespace {

using ledger::Code;
using ledger::Command;
using ledger::Kind;
using ledger::Outcome;
using replication::ProposeResult;

constexpr int kAttemptsMax = 3;  // sessions a keyless write may outlive before it is given back
constexpr int kDrawsMax = 3;     // ids that may be taken before a session is refused

Fate FateOf(const ProposeResult& result) {
  switch (result.fate) {
    case replication::Fate::kApplied:
      return Fate::kApplied;
    case replication::Fate::kNotApplied:
      return Fate::kNotApplied;
    case replication::Fate::kUnknown:
      break;
  }
  return Fate::kUnknown;
}

// A whole batch's reply to the one operation it held.
TellerReply Single(BatchReply batch) {
  TellerReply reply;
  reply.fate = batch.fate;
  if (!batch.outcomes.empty()) reply.outcome = batch.outcomes[0];
  reply.reason = std::move(batch.reason);
  reply.session = batch.session;
  reply.sequence = batch.first_sequence;
  reply.clock = batch.clock;
  return reply;
}

BatchReply ReplyOf(ProposeResult result, SessionId session, uint64_t first_sequence) {
  BatchReply reply;
  reply.fate = FateOf(result);
  reply.outcomes = std::move(result.outcomes);
  reply.reason = std::move(result.reason);
  reply.session = session;
  reply.first_sequence = first_sequence;
  reply.clock = result.clock;
  return reply;
}

template <class Reply, class Callback>
void Complete(Callback& done, Fate fate, std::string reason) {
  Reply reply;
  reply.fate = fate;
  reply.reason = std::move(reason);
  done(std::move(reply));
}

TellerReply RefusedAtTheDoor(Code code) {
  TellerReply reply;
  reply.fate = Fate::kApplied;
  reply.outcome.code = code;
  return reply;
}

constexpr std::string_view kTooLate = "the deadline had passed before the branch began";

}  // namespace

Teller::Teller(TellerOptions options, replication::Replicator& replicator, const Clock& clock,
               Entropy& entropy)
    : options_(options),
      replicator_(replicator),
      clock_(clock),
      entropy_(entropy),
      keys_(options.session_window_max) {}

Teller::~Teller() {
  std::deque<WorkPtr> waiting;
  {
    absl::MutexLock lock(&mutex_);
    BANK_CHECK(!opening_) << "the replicator still owes the teller an answer";
    waiting.swap(waiting_);
  }
  for (WorkPtr& work : waiting) Refuse(std::move(work), "the branch is stopping");
}

void Teller::Execute(const Operation& operation, int64_t deadline_ns, ReplyCallback done) {
  if (operation.kind == Kind::kQuery) return Query(operation, deadline_ns, std::move(done));
  if (!IsWrite(operation.kind)) return done(RefusedAtTheDoor(Code::kBadCommand));
  if (const Code code = CheckKey(operation.session, operation.sequence, operation.answered_below);
      code != Code::kOk) {
    return done(RefusedAtTheDoor(code));
  }
  if (clock_.NowNs() >= deadline_ns) {
    return Complete<TellerReply>(done, Fate::kNotApplied, std::string(kTooLate));
  }
  if (operation.session != SessionId{}) {
    const Keys keys{operation.session, operation.sequence, operation.answered_below};
    return Propose(operation.clock, Encode(operation, keys), operation.session, operation.sequence,
                   deadline_ns, std::move(done));
  }
  auto work = std::make_unique<Work>();
  work->count = 1;
  work->clock = operation.clock;
  work->deadline_ns = deadline_ns;
  work->done = [done = std::move(done)](BatchReply reply) mutable {
    done(Single(std::move(reply)));
  };
  const bool granted = Take(1, &work->grant);
  work->rows = Encode(operation, KeysOf(work->grant));
  if (!granted) return Wait(std::move(work));
  std::string batch = work->rows;
  Send(std::move(work), std::move(batch));
}

void Teller::ExecuteBatch(const Batch& batch, int64_t deadline_ns, BatchCallback done) {
  if (std::string fault = FindFault(batch); !fault.empty()) {
    return Complete<BatchReply>(done, Fate::kNotApplied, std::move(fault));
  }
  const uint64_t count = batch.kind.size();
  if (count == 0) return Complete<BatchReply>(done, Fate::kApplied, {});
  if (std::none_of(batch.kind.begin(), batch.kind.end(), IsWrite)) {
    return QueryBatch(Encode(batch, Keys{}), count, deadline_ns, std::move(done));
  }
  if (const Code code = CheckKey(batch.session, batch.first_sequence, batch.answered_below);
      code != Code::kOk) {
    BatchReply reply;
    reply.fate = Fate::kApplied;
    reply.outcomes.assign(count, Outcome{.code = code});
    return done(std::move(reply));
  }
  if (clock_.NowNs() >= deadline_ns) {
    return Complete<BatchReply>(done, Fate::kNotApplied, std::string(kTooLate));
  }
  if (batch.session != SessionId{}) {
    const Keys keys{batch.session, batch.first_sequence, batch.answered_below};
    replicator_.Propose(Encode(batch, keys), count, deadline_ns,
                        [keys, done = std::move(done)](ProposeResult result) mutable {
                          done(ReplyOf(std::move(result), keys.session, keys.first_sequence));
                        });
    return;
  }
  auto work = std::make_unique<Work>();
  work->count = count;
  work->deadline_ns = deadline_ns;
  work->done = std::move(done);
  const bool granted = Take(count, &work->grant);
  work->rows = Encode(batch, KeysOf(work->grant));
  if (!granted) return Wait(std::move(work));
  std::string rows = work->rows;
  Send(std::move(work), std::move(rows));
}

void Teller::OpenSession(SessionOwner owner, int64_t deadline_ns, ReplyCallback done) {
  Open(DrawCustomerSession, kDrawsMax, owner, deadline_ns, std::move(done));
}

void Teller::Open(Draw draw, int draws, SessionOwner owner, int64_t deadline_ns,
                  ReplyCallback done) {
  SessionId id = draw(entropy_);
  if (IsPlanted(Planted::kSessionIdIsPosition)) id = SessionId{};
  std::string batch;
  ledger::AppendCommand({.kind = Kind::kOpenSession, .session = id, .sequence = owner.value},
                        &batch);
  auto opened = [this, draw, draws, owner, deadline_ns,
                 done = std::move(done)](TellerReply reply) mutable {
    if (IsPlanted(Planted::kSessionIdIsPosition)) {
      reply.session = SessionId(reply.outcome.position.value);
    }
    if (reply.fate == Fate::kApplied && reply.outcome.code == Code::kKeyReused && draws > 1 &&
        clock_.NowNs() < deadline_ns) {
      // Taken, by another session or by an earlier attempt of this call: then that one stays
      // unused.
      return Open(draw, draws - 1, owner, deadline_ns, std::move(done));
    }
    if (reply.fate == Fate::kApplied && reply.outcome.code != Code::kOk) {
      const bool full = reply.outcome.code == Code::kTooManySessions;
      return Complete<TellerReply>(
          done, Fate::kNotApplied,
          full ? "the bank holds as many sessions as it can, and all were used lately; try later, "
                 "or write without a session"
               : "no free session id was found; try again");
    }
    done(std::move(reply));
  };
  Propose(0, std::move(batch), id, 0, deadline_ns, std::move(opened));
}

void Teller::Lookup(SessionId session, uint64_t sequence, int64_t deadline_ns, ReplyCallback done) {
  if (const Code code = CheckKey(session, sequence, 0); code != Code::kOk) {
    return done(RefusedAtTheDoor(code));
  }
  std::string batch;
  ledger::AppendCommand({.kind = Kind::kResolve, .session = session, .sequence = sequence}, &batch);
  Propose(0, std::move(batch), session, sequence, deadline_ns, std::move(done));
}

void Teller::Query(const Operation& operation, int64_t deadline_ns, ReplyCallback done) {
  if (operation.consistency == Consistency::kLocal) {
    TellerReply reply;
    reply.fate = Fate::kApplied;
    reply.outcome = replicator_.Query(AccountOf(operation));
    return done(std::move(reply));
  }
  auto read = [this, account = std::string(AccountOf(operation)),
               done = std::move(done)](absl::Status status) mutable {
    if (!status.ok()) {
      return Complete<TellerReply>(done, Fate::kUnavailable, std::string(status.message()));
    }
    TellerReply reply;
    reply.fate = Fate::kApplied;
    reply.outcome = replicator_.Query(account);
    done(std::move(reply));
  };
  if (operation.consistency == Consistency::kAtLeast) {
    replicator_.WaitApplied(operation.minimum_position, deadline_ns, std::move(read));
  } else {
    replicator_.ReadBarrier(deadline_ns, std::move(read));
  }
}

void Teller::QueryBatch(std::string rows, uint64_t count, int64_t deadline_ns, BatchCallback done) {
  replicator_.ReadBarrier(deadline_ns, [this, rows = std::move(rows), count,
                                        done = std::move(done)](absl::Status status) mutable {
    if (!status.ok()) {
      return Complete<BatchReply>(done, Fate::kUnavailable, std::string(status.message()));
    }
    BatchReply reply;
    reply.fate = Fate::kApplied;
    reply.outcomes.reserve(count);
    ledger::CommandReader reader(rows);
    Command command;
    while (reader.Next(&command)) reply.outcomes.push_back(replicator_.Query(command.account));
    done(std::move(reply));
  });
}

void Teller::Propose(uint64_t clock, std::string batch, SessionId session, uint64_t sequence,
                     int64_t deadline_ns, ReplyCallback done) {
  replicator_.ProposeAt(clock, std::move(batch), 1, deadline_ns,
                        [session, sequence, done = std::move(done)](ProposeResult result) mutable {
                          done(Single(ReplyOf(std::move(result), session, sequence)));
                        });
}

bool Teller::Take(uint64_t count, BranchSession::Grant* grant) {
  absl::MutexLock lock(&mutex_);
  if (!waiting_.empty()) return false;  // first come, first served
  const std::optional<BranchSession::Grant> taken = keys_.Take(count);
  if (taken.has_value()) *grant = *taken;
  return taken.has_value();
}

void Teller::Send(WorkPtr work, std::string batch) {
  ++work->attempts;
  const uint64_t count = work->count;
  const uint64_t clock = work->clock;
  const int64_t deadline_ns = work->deadline_ns;
  replicator_.ProposeAt(clock, std::move(batch), count, deadline_ns,
                        [this, work = std::move(work)](ProposeResult result) mutable {
                          OnSent(std::move(work), std::move(result));
                        });
}

void Teller::OnSent(WorkPtr work, ProposeResult result) {
  const BranchSession::Grant grant = work->grant;
  OwnWriteVerdict verdict;
  if (result.fate == replication::Fate::kApplied) {
    verdict = JudgeOwnWrite(work->rows, result.outcomes, result.repeated);
  }
  bool someone_waits = false;
  {
    absl::MutexLock lock(&mutex_);
    keys_.Answered(grant);
    someone_waits = !waiting_.empty();
  }
  if (verdict.session_gone) CloseOwnSession(grant.session, verdict.misuse);
  switch (verdict.effect) {
    case OwnWriteVerdict::Effect::kNothing:
      if (work->attempts < kAttemptsMax) return Wait(std::move(work));
      Refuse(std::move(work), "the branch's own sessions ended again and again");
      break;
    case OwnWriteVerdict::Effect::kUnclear:
      Complete<BatchReply>(work->done, Fate::kUnknown,
                           "somebody else used a key of the branch, or its session ended");
      break;
    case OwnWriteVerdict::Effect::kApplied:
      // The customer asked once and gave no key: to him no answer is a second one.
      for (Outcome& outcome : result.outcomes) outcome.replayed = false;
      work->done(ReplyOf(std::move(result), grant.session, grant.first_sequence));
      break;
  }
  if (someone_waits) Pump();
}

void Teller::CloseOwnSession(SessionId session, bool misused) {
  bool closed = false;
  {
    absl::MutexLock lock(&mutex_);
    closed = keys_.Close(session);
  }
  if (!misused) return;
  own_key_conflicts_.fetch_add(1, std::memory_order_relaxed);
  if (!closed) return;  // told already
  spdlog::error(
      "somebody else has used a key of this branch's own session; the session is given up, and its "
      "writes are made again under new keys where they certainly had no effect");
}

void Teller::Wait(WorkPtr work) {
  if (work->count > options_.session_window_max) {
    return Refuse(std::move(work), absl::StrCat("a batch without keys may hold at most ",
                                                options_.session_window_max, " operations"));
  }
  {
    absl::MutexLock lock(&mutex_);
    if (waiting_operations_ + work->count <= options_.waiting_operations_max) {
      waiting_operations_ += work->count;
      waiting_.push_back(std::move(work));
    }
  }
  if (work != nullptr) Refuse(std::move(work), "busy: too many writes are waiting at this branch");
  Pump();
}

// Gives keys to those who wait, as far as they go.
void Teller::Pump() {
  std::vector<WorkPtr> ready;
  std::vector<WorkPtr> late;
  bool open = false;
  int64_t open_deadline_ns = 0;
  const int64_t now_ns = clock_.NowNs();
  {
    absl::MutexLock lock(&mutex_);
    while (!waiting_.empty()) {
      WorkPtr& work = waiting_.front();
      const bool is_late = work->deadline_ns <= now_ns;
      if (!is_late) {
        const std::optional<BranchSession::Grant> grant = keys_.Take(work->count);
        if (!grant.has_value()) break;
        work->grant = *grant;
      }
      waiting_operations_ -= work->count;
      (is_late ? late : ready).push_back(std::move(work));
      waiting_.pop_front();
    }
    if (!waiting_.empty() && !keys_.open() && !opening_) {
      open = opening_ = true;
      open_deadline_ns = waiting_.front()->deadline_ns;
    }
  }
  for (WorkPtr& work : late) Refuse(std::move(work), "time ran out before the write was begun");
  for (WorkPtr& work : ready) {
    std::string batch = Rekey(work->rows, KeysOf(work->grant));
    Send(std::move(work), std::move(batch));
  }
  if (!open) return;
  Open(DrawBranchSession, kDrawsMax, SessionOwner{}, open_deadline_ns,
       [this, open_deadline_ns](TellerReply reply) {
         OnOwnSession(open_deadline_ns, std::move(reply));
       });
}

void Teller::OnOwnSession(int64_t deadline_ns, TellerReply reply) {
  const bool opened = reply.fate == Fate::kApplied;
  // Out of time, those who have more of it try again in Pump(). Refused before that, the bank
  // cannot take writes now: say so at once rather than ask in a loop.
  const bool give_up = !opened && clock_.NowNs() < deadline_ns;
  std::deque<WorkPtr> refused;
  {
    absl::MutexLock lock(&mutex_);
    opening_ = false;
    if (opened) keys_.Open(reply.session);
    if (give_up) {
      refused.swap(waiting_);
      waiting_operations_ = 0;
    }
  }
  for (WorkPtr& work : refused) {
    Refuse(std::move(work), absl::StrCat("no session for writes without a key: ", reply.reason));
  }
  Pump();
}

void Teller::Refuse(WorkPtr work, std::string reason) {
  Complete<BatchReply>(work->done, Fate::kNotApplied, std::move(reason));
}

}  // namespace bank::teller
