#include "tests/sim/hostile.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bank::sim {
namespace {

using ledger::Code;
using ledger::Kind;

constexpr NodeId kHostileNode = 9000;  // above those of the other customers
constexpr uint64_t kConnections = 3;
constexpr int64_t kTimeoutMs = 400;
constexpr uint64_t kMax = ~uint64_t{0};

}  // namespace

Hostile::Hostile(World& world, History& history)
    : world_(world),
      history_(history),
      line_(world, kFirstCustomerNode + kHostileNode),
      random_(world.random.Fork()) {}

void Hostile::Think() {
  world_.scheduler.After(random_.Between(2, 40) * kMillisecond, [this] {
    if (draining_) return;
    Act();
    Think();
  });
}

void Hostile::Act() {
  const uint64_t dice = random_.Below(100);
  if (dice < 40) return UseStrangeKey();
  if (dice < 60) return CallAnswersSeen();
  if (dice < 75) return Flood();
  if (dice < 88) return WriteInOwnSession();
  LearnBranchSession();
}

Operation Hostile::Deposit(int64_t amount) {
  Operation op;
  op.customer = kHostileNode;
  op.kind = Kind::kDeposit;
  op.account = "account0";
  op.amount = amount;
  return op;
}

void Hostile::UseStrangeKey() {
  Call call{.operations = {Deposit(1)}};
  call.session = branch_sessions_.empty() || random_.OneIn(2) ? SessionId(random_.Between(1, 60))
                                                              : random_.Pick(branch_sessions_);
  call.first_sequence = static_cast<uint64_t>(random_.Between(1, 200));
  if (random_.OneIn(3)) call.kind = Call::Kind::kLookup;
  if (random_.OneIn(3)) call.kind = Call::Kind::kBatch;
  if (random_.OneIn(4)) call.answered_below = call.first_sequence;
  const SessionId session = call.session;
  Ask(std::move(call), [this, session](const CallReply& reply) {
    if (reply.fate != teller::Fate::kApplied) return;
    if (reply.outcomes.front().code != Code::kUnknownSession) {
      return world_.Violate(absl::StrCat("a stranger used a key of session ", session.value,
                                         " and was told ",
                                         std::string(CodeName(reply.outcomes.front().code))));
    }
    ++world_.statistics.strange_keys_refused;
  });
}

void Hostile::CallAnswersSeen() {
  if (own_ == SessionId(0)) return Flood();
  Call call{.operations = {Deposit(1)}};
  call.session = own_;
  call.first_sequence = next_sequence_ + random_.Below(5);
  call.answered_below = random_.OneIn(2) ? kMax : call.first_sequence + 1;
  if (random_.OneIn(2)) call.kind = Call::Kind::kBatch;
  Ask(std::move(call), [this](const CallReply& reply) {
    if (reply.fate != teller::Fate::kApplied) return;
    const Code code = reply.outcomes.front().code;
    if (code != Code::kBadCommand && code != Code::kUnknownSession) {
      return world_.Violate(absl::StrCat("answers that were never given were called seen: ",
                                         std::string(CodeName(code))));
    }
    ++world_.statistics.early_floors_refused;
  });
}

void Hostile::Flood() {
  for (int64_t n = random_.Between(1, 12); n > 0; --n) {
    Call call{.kind = Call::Kind::kOpenSession};
    call.owner = SessionOwner(kHostileNode + random_.Below(kConnections));
    Ask(std::move(call), [this](const CallReply& reply) {
      if (reply.fate != teller::Fate::kApplied) return;
      ++world_.statistics.sessions_flooded;
      own_ = reply.session;
      next_sequence_ = 1;
    });
  }
}

void Hostile::WriteInOwnSession() {
  if (own_ == SessionId(0)) return Flood();
  Operation op = Deposit(1);
  op.session = own_;
  op.sequence = next_sequence_++;
  Call call{.operations = {op}};
  call.session = op.session;
  call.first_sequence = call.answered_below = op.sequence;
  const size_t index = Record(std::move(op));
  Ask(std::move(call), [this, index](const CallReply& reply) { Settle(index, reply); });
}

void Hostile::LearnBranchSession() {
  Operation op = Deposit(kKeylessAmountMin + static_cast<int64_t>(history_.size()));
  Call call{.operations = {op}};
  const size_t index = Record(std::move(op));
  Ask(std::move(call), [this, index](const CallReply& reply) {
    if (reply.session != SessionId(0)) branch_sessions_.push_back(reply.session);
    Settle(index, reply);
  });
}

void Hostile::Ask(Call call, absl::AnyInvocable<void(const CallReply&)> done) {
  call.timeout_ms = kTimeoutMs;
  // Called once: by the answer, or when time is up.
  auto once = std::make_shared<absl::AnyInvocable<void(const CallReply&)>>(std::move(done));
  const auto answer = [once](const CallReply& reply) {
    if (*once == nullptr) return;
    auto told = std::exchange(*once, nullptr);
    told(reply);
  };
  line_.Ask(BranchId(random_.Below(world_.branches.size()) + 1), std::move(call), answer);
  world_.scheduler.After(2 * kTimeoutMs * kMillisecond,
                         [answer] { answer({.fate = teller::Fate::kUnknown}); });
}

size_t Hostile::Record(Operation operation) {
  operation.invoked_at = world_.scheduler.now();
  history_.push_back(std::move(operation));
  ++writing_;
  return history_.size() - 1;
}

void Hostile::Settle(size_t index, const CallReply& reply) {
  --writing_;
  Operation& op = history_[index];
  // What it does not know, the log tells.
  op.fate = Operation::Fate::kLost;
  if (reply.fate != teller::Fate::kApplied) return;
  const ledger::Outcome& outcome = reply.outcomes.front();
  if (outcome.code == Code::kUnknownSession) {
    op.told_expired = true;
    if (op.session == own_) own_ = SessionId(0);
    return;
  }
  // A later write overtook this one, and called its answer seen.
  if (outcome.code == Code::kForgotten) return;
  op.fate = Operation::Fate::kDone;
  op.outcome = outcome;
  op.completed_at = world_.scheduler.now();
}

}  // namespace bank::sim
