#include "tests/sim/client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "branch/rpc/convert.h"
#include "customer/client/wire.h"

namespace bank::sim {
namespace {

using client::CallFate;
using client::ReplyKind;
using history::Ending;
using ledger::Code;
using ledger::Kind;

constexpr NodeId kClientNodes = 5000;  // above those of the other customers

CallFate FateOf(const CallReply& reply) {
  if (reply.fate == teller::Fate::kApplied) return CallFate::kReplied;
  return client::FateOf(rpc::StatusOfFate(reply.fate, reply.reason, /*deadline_passed=*/false));
}

ReplyKind KindOf(const CallReply& reply) {
  if (reply.outcomes.empty()) return ReplyKind::kFinal;
  return client::KindOf(static_cast<v1::ResultCode>(reply.outcomes.front().code));
}

}  // namespace

Client::Client(World& world, History& history, const ClientOptions& options)
    : world_(world),
      history_(history),
      options_(options),
      line_(world, kFirstCustomerNode + kClientNodes + options.number),
      random_(world.random.Fork()),
      home_(random_.Below(world.branches.size()) + 1) {}

void Client::Think() {
  world_.scheduler.After(random_.Between(0, options_.think_max), [this] {
    if (draining_) return;
    if (session_ == SessionId(0)) return OpenSession();
    Perform();
  });
}

void Client::OpenSession() {
  retry_policy_.emplace(options_.patience, client::RetryPolicy::Kind{false, false}, NowNs());
  operation_.reset();
  call_ = {.kind = Call::Kind::kOpenSession, .owner = SessionOwner(kClientNodes + options_.number)};
  attempt_ = 0;
  Try(Next::kCall);
}

void Client::Perform() {
  Operation op;
  op.customer = kClientNodes + options_.number;
  op.account = absl::StrCat("account", random_.Below(options_.accounts));
  op.invoked_at = world_.scheduler.now();
  if (!random_.Permille(options_.read_permille)) {
    op.kind = random_.OneIn(2) ? Kind::kDeposit : Kind::kWithdraw;
    op.amount = random_.Between(1, 50);
    op.session = session_;
    op.sequence = next_sequence_++;
  } else if (random_.OneIn(3)) {
    op.consistency = teller::Consistency::kAtLeast;
    op.minimum = seen_;
  }
  retry_policy_.emplace(options_.patience, client::RetryPolicy::Kind{!op.read(), !op.read()},
                        NowNs());
  // One operation at a time: all below this one are settled.
  call_ = {.operations = {op},
           .session = op.session,
           .first_sequence = op.sequence,
           .answered_below = op.sequence};
  history_.push_back(std::move(op));
  operation_ = history_.size() - 1;
  attempt_ = 0;
  Try(Next::kCall);
}

void Client::Try(Next next) {
  if (next == Next::kLookup && call_.kind != Call::Kind::kLookup) {
    ++world_.statistics.client_lookups;
    call_.kind = Call::Kind::kLookup;
    attempt_ = 0;
  }
  world_.scheduler.After(retry_policy_->WaitNs(random_.Next()) / 1000, [this, next] {
    const int64_t timeout_ns = retry_policy_->CallDeadlineNs(NowNs()) - NowNs();
    call_.timeout_ms = timeout_ns / 1'000'000;
    const uint64_t branch = (home_.value - 1 + attempt_++) % world_.branches.size() + 1;
    const auto answer = [this, next, number = ++calls_](const CallReply& reply) {
      if (number == calls_ && retry_policy_.has_value()) OnReply(next, reply);
    };
    line_.Ask(BranchId(branch), call_, answer);
    world_.scheduler.After(timeout_ns / 1000, [answer] {
      answer({.fate = teller::Fate::kUnknown, .reason = "the deadline has passed"});
    });
  });
}

void Client::OnReply(Next what, const CallReply& reply) {
  ++calls_;
  const Next next = what == Next::kLookup
                        ? retry_policy_->OnLookup(FateOf(reply), KindOf(reply), NowNs())
                        : retry_policy_->OnCall(FateOf(reply), KindOf(reply), NowNs());
  if (next != Next::kSettled) return Try(next);
  Settle(reply);
  retry_policy_.reset();
  Think();
}

void Client::Settle(const CallReply& reply) {
  const Ending ending = retry_policy_->ending();
  if (!operation_.has_value()) {
    if (ending != Ending::kOk || reply.outcomes.empty()) return;  // it will be asked for again
    session_ = reply.session;
    next_sequence_ = 1;
    return;
  }
  Operation& op = history_[*operation_];
  if (KindOf(reply) == ReplyKind::kLostKey && reply.fate == teller::Fate::kApplied) {
    if (reply.outcomes.front().code != Code::kUnknownSession) {
      return world_.Violate(absl::StrCat("a client that keeps the rules is told ",
                                         std::string(CodeName(reply.outcomes.front().code))));
    }
    op.told_expired = true;
    session_ = SessionId(0);
  }
  switch (ending) {
    case Ending::kOk:
      ++world_.statistics.client_ok;
      if (!op.told_expired) return Told(reply, &op);
      op.never_applied = true;  // that is what the client reports
      op.fate = Operation::Fate::kLost;
      return;
    case Ending::kFail:
      ++world_.statistics.client_fail;
      // Sealed, or never taken in by anybody.
      if (reply.fate == teller::Fate::kApplied) return Told(reply, &op);
      op.never_applied = !op.read();
      op.fate = Operation::Fate::kNothing;
      return;
    case Ending::kInfo:
      ++world_.statistics.client_info;
      // The next write will say that this one's answer is not waited for any more.
      op.fate = Operation::Fate::kLost;
      return;
  }
}

void Client::Told(const CallReply& reply, Operation* op) {
  op->fate = Operation::Fate::kDone;
  op->outcome = reply.outcomes.front();
  op->completed_at = world_.scheduler.now();
  seen_ = std::max(seen_, op->outcome.position);
}

}  // namespace bank::sim
