#include "branch/replication/lamport/runtime/lamport_replicator.h"

#include <algorithm>
#include <iterator>

#include "absl/status/status.h"

namespace bank::replication::lamport {
namespace {

constexpr int64_t kTickNs = 10 * kNsPerMs;
constexpr int64_t kSilenceNs = 50 * kNsPerMs;  // after a failure, or a branch that was not ready
constexpr char kLate[] = "not every branch has answered in time; it takes effect when they do";

}  // namespace

LamportReplicator::LamportReplicator(CoreOptions options, const Clock& clock, Transport& transport)
    : options_(options),
      clock_(clock),
      transport_(transport),
      core_(std::move(options)),
      timer_(clock) {}

LamportReplicator::~LamportReplicator() { Stop(); }

void LamportReplicator::Start() {
  Due due;
  {
    absl::MutexLock lock(&mutex_);
    started_ = true;
    due = StepLocked();
  }
  Run(std::move(due));
}

void LamportReplicator::Stop() {
  Due due;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    for (auto& [write, open] : open_) {
      due.proposals.emplace_back(std::move(open.done),
                                 ProposeResult{.fate = Fate::kUnknown, .reason = kStopping});
    }
    open_.clear();
    for (Waiting& waiting : waiting_) {
      due.reads.emplace_back(std::move(waiting.done), absl::UnavailableError(kStopping));
    }
    waiting_.clear();
  }
  timer_.Stop();
  Run(std::move(due));
}

Reply LamportReplicator::OnRequest(Request request) {
  Due due;
  Reply reply;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return Reply{.result = Reply::Result::kJoining};
    reply = core_.OnRequest(std::move(request));
    due = StepLocked();
  }
  Run(std::move(due));
  return reply;
}

void LamportReplicator::OnDone(BranchId from, absl::StatusOr<Reply> reply) {
  Due due;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return;
    const bool taken = reply.ok() && reply->result == Reply::Result::kTaken;
    if (!taken || !core_.joined()) silent_until_ns_[from] = clock_.NowNs() + kSilenceNs;
    if (reply.ok()) {
      core_.OnReply(from, *std::move(reply));
    } else {
      core_.OnFailure(from);
    }
    due = StepLocked();
  }
  Run(std::move(due));
}

// --- What customers ask
// ---------------------------------------------------------------------------

void LamportReplicator::Propose(std::string batch, uint64_t count, int64_t deadline_ns,
                                ProposeCallback done) {
  ProposeAt(0, std::move(batch), count, deadline_ns, std::move(done));
}

void LamportReplicator::ProposeAt(uint64_t clock, std::string batch, uint64_t count,
                                  int64_t deadline_ns, ProposeCallback done) {
  Due due;
  {
    absl::MutexLock lock(&mutex_);
    absl::StatusOr<uint64_t> write = absl::UnavailableError(kStopping);
    if (!stopped_) write = core_.Take(batch, count, clock, clock_.NowMs());
    if (write.ok()) {
      open_.emplace(*write, Open{deadline_ns, std::move(done)});
    } else {
      due.proposals.emplace_back(std::move(done),
                                 ProposeResult{.fate = Fate::kNotApplied,
                                               .reason = std::string(write.status().message())});
    }
    Due step = StepLocked();
    std::move(step.proposals.begin(), step.proposals.end(), std::back_inserter(due.proposals));
    step.proposals = std::move(due.proposals);
    due = std::move(step);
  }
  Run(std::move(due));
}

void LamportReplicator::ReadBarrier(int64_t deadline_ns, ReadCallback done) {
  Wait({.target = {}, .position = {}, .deadline_ns = deadline_ns, .done = std::move(done)});
}

void LamportReplicator::WaitApplied(Position position, int64_t deadline_ns, ReadCallback done) {
  Wait({.target = {}, .position = position, .deadline_ns = deadline_ns, .done = std::move(done)});
}

void LamportReplicator::Wait(Waiting waiting) {
  Due due;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_ || !core_.joined()) {
      due.reads.emplace_back(
          std::move(waiting.done),
          absl::UnavailableError(stopped_ ? kStopping : "not every other branch has answered yet"));
    } else {
      if (waiting.position == Position()) waiting.target = core_.highest_received();
      waiting_.push_back(std::move(waiting));
      due = StepLocked();
    }
  }
  Run(std::move(due));
}

ledger::Outcome LamportReplicator::Query(std::string_view account) const {
  absl::ReaderMutexLock lock(&mutex_);
  return core_.ledger().Query(account);
}

void LamportReplicator::Ping(int64_t, ReadCallback done) {
  timer_.Post([done = std::move(done)]() mutable { done(absl::OkStatus()); });
}

void LamportReplicator::TakeSnapshot(int64_t, Done done) {
  done(absl::FailedPreconditionError(
      "this bank orders by logical clocks and keeps nothing on disk: there is no snapshot to take "
      "(--replicator raft has them)"));
}

void LamportReplicator::TransferLeadership(BranchId, Done done) {
  done(absl::FailedPreconditionError(
      "this bank orders by logical clocks: no branch leads (--replicator raft has a leader)"));
}

void LamportReplicator::ReadLedger(absl::FunctionRef<void(const ledger::Ledger&)> read) const {
  absl::ReaderMutexLock lock(&mutex_);
  read(core_.ledger());
}

std::vector<ClockEvent> LamportReplicator::EventsAfter(uint64_t number, size_t limit) const {
  absl::ReaderMutexLock lock(&mutex_);
  return core_.events().After(number, limit);
}

ReplicatorStatus LamportReplicator::GetStatus() const {
  absl::ReaderMutexLock lock(&mutex_);
  return StatusLocked();
}

// No branch leads. For those who ask for a leader (where metrics are kept, say) it is the first.
ReplicatorStatus LamportReplicator::StatusLocked() const {
  const BranchId first = *std::min_element(options_.members.begin(), options_.members.end());
  ReplicatorStatus status;
  status.role = first == options_.self ? Role::kLeader : Role::kFollower;
  status.term = Term(1);
  status.leader = core_.joined() ? first : BranchId();
  status.commit_index = status.applied_index = core_.applied();
  status.known_commit_index = core_.known_decided();
  status.last_index = core_.applied().Plus(core_.pending());
  status.ledger = core_.ledger().summary();
  status.bootstrapping = !core_.joined();
  status.ready = core_.joined() && status.ledger.position > Position();
  return status;
}

// --- What is due
// ----------------------------------------------------------------------------------

LamportReplicator::Due LamportReplicator::StepLocked() {
  Due due;
  const int64_t now_ns = clock_.NowNs();
  for (Core::Answer& answer : core_.TakeAnswers()) {
    const auto open = open_.find(answer.write);
    if (open == open_.end()) continue;  // its customer was told "unknown"
    due.proposals.emplace_back(std::move(open->second.done),
                               ProposeResult{.fate = Fate::kApplied,
                                             .outcomes = std::move(answer.outcomes),
                                             .reason = {},
                                             .repeated = false,
                                             .clock = answer.clock});
    open_.erase(open);
  }
  const Position position = core_.ledger().position();
  std::erase_if(waiting_, [&](Waiting& waiting) {
    const bool over = waiting.position == Position() ? core_.HasApplied(waiting.target)
                                                     : waiting.position <= position;
    if (over) due.reads.emplace_back(std::move(waiting.done), absl::OkStatus());
    return over;
  });
  ExpireLocked(now_ns, &due);
  for (BranchId to : options_.members) {
    if (!started_ || to == options_.self || silent_until_ns_[to] > now_ns) continue;
    if (auto request = core_.Next(to)) due.requests.emplace_back(to, *std::move(request));
  }
  due.applied = std::exchange(observed_, core_.applied()) != core_.applied();
  due.applied |= std::exchange(observed_joined_, core_.joined()) != core_.joined();
  if (!stopped_ && !ticking_ && NeedsTickLocked()) {
    ticking_ = true;
    timer_.PostAt(now_ns + kTickNs, [this] { Tick(); });
  }
  metrics_.proposals_open = static_cast<int64_t>(open_.size());
  return due;
}

void LamportReplicator::ExpireLocked(int64_t now_ns, Due* due) {
  for (auto it = open_.begin(); it != open_.end();) {
    if (it->second.deadline_ns > now_ns) {
      ++it;
      continue;
    }
    due->proposals.emplace_back(std::move(it->second.done),
                                ProposeResult{.fate = Fate::kUnknown, .reason = kLate});
    it = open_.erase(it);
  }
  std::erase_if(waiting_, [&](Waiting& waiting) {
    if (waiting.deadline_ns > now_ns) return false;
    due->reads.emplace_back(
        std::move(waiting.done),
        absl::DeadlineExceededError("this branch did not get that far in time"));
    return true;
  });
}

bool LamportReplicator::NeedsTickLocked() const {
  const int64_t now_ns = clock_.NowNs();
  return !core_.joined() || !open_.empty() || !waiting_.empty() ||
         std::any_of(silent_until_ns_.begin(), silent_until_ns_.end(),
                     [&](const auto& silence) { return silence.second > now_ns; });
}

void LamportReplicator::Tick() {
  Due due;
  {
    absl::MutexLock lock(&mutex_);
    ticking_ = false;
    if (stopped_) return;
    due = StepLocked();
  }
  Run(std::move(due));
}

void LamportReplicator::Run(Due due) {
  for (auto& [to, request] : due.requests) {
    transport_.Exchange(to, std::move(request), [this, to = to](absl::StatusOr<Reply> reply) {
      OnDone(to, std::move(reply));
    });
  }
  for (auto& [done, result] : due.proposals) done(std::move(result));
  for (auto& [done, status] : due.reads) done(std::move(status));
  if (due.applied && observe_) observe_(GetStatus());
}

}  // namespace bank::replication::lamport
