// A customer's requests: how they reach the bank, again and again.
#include <algorithm>
#include <utility>

#include "tests/sim/customer.h"

namespace bank::sim {
namespace {

constexpr SimTime kBackoffMin = 5 * kMillisecond;
constexpr SimTime kBackoffMax = 80 * kMillisecond;

}  // namespace

void Customer::Open(Request request) {
  request.number = ++requests_;
  const uint64_t number = request.number;
  open_.emplace(number, std::move(request));
  Attempt(number);
}

void Customer::Attempt(uint64_t number) {
  const auto it = open_.find(number);
  if (it == open_.end()) return;
  Request& request = it->second;
  const bool enough = request.attempts >= options_.attempts_max && !request.insists && !draining_;
  if (enough || (request.once && request.attempts > 0)) {
    const Request given_up = request;
    open_.erase(it);
    return GiveUp(given_up);
  }
  if (request.attempts > 0) ++world_.statistics.retries;
  ++request.attempts;
  BranchId branch = request.only;
  if (branch == BranchId(0)) {
    // Retries go round: there may be more branches that know of no bank than members.
    branch = request.attempts > 1 ? BranchId(request.last.value % world_.branches.size() + 1)
             : random_.OneIn(2)   ? home_
                                  : AnyBranch();
  }
  request.last = branch;
  const bool twice = request.only == BranchId(0) && !request.once && random_.Permille(30);
  Ask(request, branch, line_);
  // At times the same request is under way twice, from two clients through two branches.
  if (twice) Ask(request, AnyBranch(), other_line_);
  world_.scheduler.After(options_.timeout_ms * kMillisecond,
                         [this, number, attempt = request.attempts] { Retry(number, attempt); });
}

void Customer::Ask(Request& request, BranchId branch, Line& line) {
  ++request.asked;
  line.Ask(branch, MakeCall(request),
           [this, asked = request](const CallReply& reply) { OnReply(asked, reply); });
}

void Customer::Retry(uint64_t number, uint64_t attempt) {
  const auto it = open_.find(number);
  if (it == open_.end() || it->second.attempts != attempt) return;
  Attempt(number);
}

void Customer::RetrySoon(uint64_t number, uint64_t attempt) {
  world_.scheduler.After(random_.Between(kBackoffMin, kBackoffMax),
                         [this, number, attempt] { Retry(number, attempt); });
}

void Customer::GiveUp(const Request& request) {
  if (request.purpose == Purpose::kSession) opening_session_ = false;
  for (const size_t index : request.operations) {
    Operation& op = history_[index];
    if (op.fate != Operation::Fate::kOpen || request.purpose == Purpose::kResolve) continue;
    if (op.read()) {
      op.fate = Operation::Fate::kNothing;
      ++world_.statistics.reads_failed;
      continue;
    }
    op.never_applied = request.asked == request.not_applied;
    ++world_.statistics.writes_unknown;
    // A key that two contents or a lookup contend for does not tell which of them it answers for.
    op.fate = op.keyless() || op.contended ? Operation::Fate::kLost : Operation::Fate::kUnknown;
  }
}

Call Customer::MakeCall(const Request& request) {
  Call call{.session = request.session,
            .first_sequence = request.first_sequence,
            .timeout_ms = options_.timeout_ms};
  for (const size_t index : request.operations) call.operations.push_back(history_[index]);
  switch (request.purpose) {
    case Purpose::kSession:
      call.kind = Call::Kind::kOpenSession;
      call.owner = SessionOwner(options_.number);
      break;
    case Purpose::kResolve:
      call.kind = Call::Kind::kLookup;
      break;
    case Purpose::kKeyReuse:
      call.operations.front().amount += 1;
      break;
    case Purpose::kRead:
      break;
    default:
      if (call.operations.size() > 1 || random_.OneIn(2)) call.kind = Call::Kind::kBatch;
      break;
  }
  const bool keyed = call.session != SessionId(0) && request.purpose != Purpose::kResolve;
  if (options_.forgets && keyed) {
    uint64_t& told = told_answered_below_[call.session];
    if (call.session == session_) {
      told = std::max(told, unanswered_.empty() ? next_sequence_ : *unanswered_.begin());
    }
    // A request of before that comes again knows nothing of what was answered since.
    call.answered_below = std::min(told, call.first_sequence);
  }
  return call;
}

}  // namespace bank::sim
