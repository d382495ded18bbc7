#include "tests/sim/customer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bank::sim {
namespace {

using ledger::Code;
using ledger::Kind;

constexpr SimTime kBackoffMin = 5 * kMillisecond;
constexpr SimTime kBackoffMax = 80 * kMillisecond;
constexpr size_t kReplayBatch = 16;

std::string Told(const ledger::Outcome& outcome) {
  return absl::StrCat(std::string(CodeName(outcome.code)), " at position ", outcome.position.value,
                      ", balance ", outcome.balance);
}

}  // namespace

Customer::Customer(World& world, History& history, const CustomerOptions& options)
    : world_(world),
      history_(history),
      options_(options),
      node_(kFirstCustomerNode + options.number),
      random_(world.random.Fork()),
      home_(AnyBranch()) {}

void Customer::Begin() { Think(); }

void Customer::Think() {
  world_.scheduler.After(random_.Between(options_.think_min, options_.think_max), [this] {
    if (draining_) return;
    Issue();
    Think();
  });
}

void Customer::Issue() {
  if (open_.size() >= options_.in_flight_max) return;
  const uint64_t answered_below = unanswered_.empty() ? next_sequence_ : *unanswered_.begin();
  const uint64_t floor = options_.forgets ? answered_below : 1;
  if (session_ == SessionId(0) || next_sequence_ + options_.batch_max - floor >= options_.window) {
    // No session, or what it must remember is full: an unknown write holds it. Take a new one.
    if (!opening_session_) {
      opening_session_ = true;
      Open({.purpose = Purpose::kSession});
    }
    return;
  }
  if (random_.Permille(20)) TryKeyReuse();
  if (random_.Permille(100)) ReadOwnWrites();
  Request request;
  if (random_.Permille(options_.read_permille)) {
    Operation read;
    read.account = absl::StrCat("account", random_.Below(options_.accounts));
    request.purpose = Purpose::kRead;
    request.operations.push_back(Record(std::move(read)));
  } else {
    for (int64_t n = random_.Between(1, static_cast<int64_t>(options_.batch_max)); n > 0; --n) {
      request.operations.push_back(Record(Invent()));
    }
  }
  Open(std::move(request));
}

Operation Customer::Invent() {
  const auto name = [this] {
    return absl::StrCat("account", random_.OneIn(3) ? 0 : random_.Below(options_.accounts));
  };
  Operation op;
  op.account = name();
  op.amount = random_.Between(1, 100);
  const uint64_t dice = random_.Below(100);
  if (dice < 12) {
    op.kind = Kind::kOpen;
    op.amount = random_.Between(0, 500);
  } else if (dice < 45) {
    op.kind = Kind::kDeposit;
  } else if (dice < 70) {
    op.kind = Kind::kWithdraw;
  } else if (dice < 93) {
    op.kind = Kind::kTransfer;
    op.to = name();
  }  // else: a query at its place in the order
  if (!op.read() && random_.OneIn(40)) op.amount = random_.OneIn(2) ? 0 : -op.amount;
  if (!op.read() && random_.OneIn(60)) op.amount = int64_t{1} << 62;
  return op;
}

size_t Customer::Record(Operation operation) {
  operation.customer = options_.number;
  operation.invoked_at = world_.scheduler.now();
  if (!operation.read()) {
    operation.session = session_;
    operation.sequence = next_sequence_++;
    unanswered_.insert(operation.sequence);
  }
  history_.push_back(std::move(operation));
  mine_.push_back(history_.size() - 1);
  return history_.size() - 1;
}

// The same key with other content must be refused, and change nothing.
void Customer::TryKeyReuse() {
  if (mine_.empty() || options_.forgets) return;
  const size_t index = random_.Pick(mine_);
  const Operation& op = history_[index];
  if (op.read() || op.fate != Operation::Fate::kDone) return;
  Open({.purpose = Purpose::kKeyReuse, .operations = {index}});
}

// At any branch, as fresh as what this customer has seen; not a part of the history, since it may
// be older than what others have seen.
void Customer::ReadOwnWrites() {
  BranchProcess* const branch = world_.branches[AnyBranch().value - 1];
  world_.network.Send(node_, branch->node(), Lane::kCustomer, 0, [this, branch, minimum = seen_] {
    if (!branch->up()) return;
    branch->ReadAtLeast("account0", minimum, options_.timeout_ms,
                        [this, branch, minimum](const ReadResult& result) {
                          if (!result.ok) return;
                          ++world_.statistics.reads_at_least;
                          if (result.outcome.position >= minimum) return;
                          world_.Violate(absl::StrCat(
                              "branch ", branch->id().value, " read at position ",
                              result.outcome.position.value, ", asked for ", minimum.value));
                        });
  });
}

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
  if (request.attempts >= options_.attempts_max && !request.insists && !draining_) {
    const Request given_up = request;
    Close(number);
    return GiveUp(given_up);
  }
  if (request.attempts > 0) ++world_.statistics.retries;
  ++request.attempts;
  BranchId branch = request.only;
  if (branch == BranchId(0))
    branch = request.attempts == 1 && random_.OneIn(2) ? home_ : AnyBranch();
  Ask(request, branch);
  // At times the same request is under way twice, through two branches.
  if (request.only == BranchId(0) && random_.Permille(30)) Ask(request, AnyBranch());
  world_.scheduler.After(options_.timeout_ms * kMillisecond,
                         [this, number, attempt = request.attempts] { Retry(number, attempt); });
}

void Customer::Retry(uint64_t number, uint64_t attempt) {
  const auto it = open_.find(number);
  if (it == open_.end() || it->second.attempts != attempt) return;
  Attempt(number);
}

void Customer::GiveUp(const Request& request) {
  if (request.purpose == Purpose::kSession) opening_session_ = false;
  for (const size_t index : request.operations) {
    Operation& op = history_[index];
    if (op.fate != Operation::Fate::kOpen) continue;
    if (op.read()) {
      op.fate = Operation::Fate::kNothing;
      if (request.purpose == Purpose::kRead) ++world_.statistics.reads_failed;
    } else {
      op.fate = Operation::Fate::kUnknown;
      op.never_applied = request.asked == request.not_applied;
      ++world_.statistics.writes_unknown;
    }
  }
}

std::string Customer::Encode(const Request& request) {
  std::string batch;
  if (request.purpose == Purpose::kSession) {
    ledger::AppendCommand({.kind = Kind::kOpenSession}, &batch);
  }
  for (const size_t index : request.operations) {
    const Operation& op = history_[index];
    ledger::Command command;
    command.kind = request.purpose == Purpose::kResolve ? Kind::kResolve : op.kind;
    command.session = op.session;
    command.sequence = op.sequence;
    command.account = op.account;
    command.to = op.to;
    command.amount = op.amount + (request.purpose == Purpose::kKeyReuse ? 1 : 0);
    if (options_.forgets && !op.read()) {
      uint64_t& told = told_answered_below_[op.session];
      if (op.session == session_) {
        told = std::max(told, unanswered_.empty() ? next_sequence_ : *unanswered_.begin());
      }
      command.answered_below = told;
    }
    ledger::AppendCommand(command, &batch);
  }
  return batch;
}

void Customer::Ask(Request& request, BranchId to) {
  ++request.asked;
  BranchProcess* const branch = world_.branches[to.value - 1];
  const uint64_t number = request.number;
  const uint64_t attempt = request.attempts;
  if (request.purpose == Purpose::kRead) {
    const size_t operation = request.operations.front();
    auto reply = [this, branch, number, operation, attempt](const ReadResult& result) {
      world_.network.Send(branch->node(), node_, Lane::kCustomer, 0,
                          [=, this] { OnRead(number, operation, attempt, result); });
    };
    world_.network.Send(node_, branch->node(), Lane::kCustomer, 0,
                        [this, branch, account = history_[operation].account, reply]() mutable {
                          if (!branch->up()) return reply({});  // nobody listens
                          branch->Read(std::move(account), options_.timeout_ms, std::move(reply));
                        });
    return;
  }
  const uint64_t count = std::max<uint64_t>(request.operations.size(), 1);
  auto reply = [this, branch, number, purpose = request.purpose, operations = request.operations,
                attempt](const replication::ProposeResult& result) {
    world_.network.Send(branch->node(), node_, Lane::kCustomer, 0,
                        [this, number, purpose, operations, attempt, result] {
                          OnWritten(number, purpose, operations, attempt, result);
                        });
  };
  world_.network.Send(node_, branch->node(), Lane::kCustomer, 0,
                      [this, branch, batch = Encode(request), count, reply]() mutable {
                        if (!branch->up()) return reply({});
                        branch->Write(std::move(batch), count, options_.timeout_ms,
                                      std::move(reply));
                      });
}

void Customer::OnWritten(uint64_t number, Purpose purpose, const std::vector<size_t>& operations,
                         uint64_t attempt, const replication::ProposeResult& result) {
  const auto it = open_.find(number);
  if (result.fate != replication::Fate::kApplied) {
    if (it != open_.end() && result.fate == replication::Fate::kNotApplied) {
      ++it->second.not_applied;
    }
    if (it == open_.end() || it->second.attempts != attempt) return;
    world_.scheduler.After(random_.Between(kBackoffMin, kBackoffMax),
                           [this, number, attempt] { Retry(number, attempt); });
    return;
  }
  if (result.outcomes.size() != std::max<size_t>(operations.size(), 1)) {
    world_.Violate(absl::StrCat("a batch of ", operations.size(), " commands has ",
                                result.outcomes.size(), " outcomes"));
    return;
  }
  if (it != open_.end()) Close(number);
  if (purpose == Purpose::kSession) {
    if (it == open_.end() && !opening_session_) return;
    const ledger::Outcome& outcome = result.outcomes.front();
    if (outcome.code != Code::kOk || outcome.position == Position(0)) {
      world_.Violate(absl::StrCat("a session is refused: ", Told(outcome)));
      return;
    }
    opening_session_ = false;
    session_ = SessionId(outcome.position.value);
    next_sequence_ = 1;
    unanswered_.clear();
    return;
  }
  for (size_t i = 0; i < operations.size(); ++i) {
    OnOutcome(purpose, operations[i], result.outcomes[i]);
  }
}

void Customer::OnOutcome(Purpose purpose, size_t index, const ledger::Outcome& outcome) {
  Operation& op = history_[index];
  const auto key = [&op] { return absl::StrCat("key ", op.session.value, "/", op.sequence); };
  if (purpose == Purpose::kKeyReuse) {
    // A key that was sealed answers that it was; the seal has no content to compare.
    if (outcome.code != Code::kKeyReused && op.outcome.code != Code::kNotApplied) {
      world_.Violate(
          absl::StrCat(key(), " came with other content and was answered ", Told(outcome)));
    }
    ++world_.statistics.key_reuses_refused;
    return;
  }
  if (op.read()) {
    if (op.fate == Operation::Fate::kOpen) Complete(&op, outcome);
    return;
  }
  if (outcome.replayed) ++world_.statistics.answers_replayed;
  if (op.fate == Operation::Fate::kDone) {
    const auto told = told_answered_below_.find(op.session);
    if (outcome.code == Code::kForgotten && told != told_answered_below_.end() &&
        op.sequence < told->second) {
      return;
    }
    if (outcome.code != op.outcome.code || outcome.position != op.outcome.position ||
        outcome.balance != op.outcome.balance) {
      world_.Violate(
          absl::StrCat(key(), " was answered ", Told(op.outcome), " and then ", Told(outcome)));
    }
    return;
  }
  switch (outcome.code) {
    case Code::kUnknownSession:
    case Code::kKeyReused:
    case Code::kForgotten:
    case Code::kWindowFull:
      world_.Violate(absl::StrCat(key(), " has no answer yet and is told ", Told(outcome)));
      return;
    case Code::kNotApplied:
      if (purpose != Purpose::kResolve && op.fate != Operation::Fate::kUnknown) {
        world_.Violate(absl::StrCat(key(), " was not sealed and is told ", Told(outcome)));
        return;
      }
      break;
    default:
      break;
  }
  if (purpose == Purpose::kResolve) {
    if (op.never_applied && outcome.code != Code::kNotApplied) {
      world_.Violate(absl::StrCat(
          key(), " was answered 'not applied' each time it was sent, and is ", Told(outcome)));
    }
    ++(outcome.code == Code::kNotApplied ? world_.statistics.writes_resolved_not_applied
                                         : world_.statistics.writes_resolved_applied);
  }
  Complete(&op, outcome);
}

void Customer::Complete(Operation* op, const ledger::Outcome& outcome) {
  op->fate = Operation::Fate::kDone;
  op->outcome = outcome;
  op->completed_at = world_.scheduler.now();
  seen_ = std::max(seen_, outcome.position);
  if (op->read()) return;
  if (op->session == session_) unanswered_.erase(op->sequence);
  ++world_.statistics.writes_acknowledged;
  if (outcome.code != Code::kOk) ++world_.statistics.writes_refused;
  world_.trace.Note("answered", op->session.value, op->sequence, outcome.position.value);
}

void Customer::OnRead(uint64_t number, size_t index, uint64_t attempt, const ReadResult& result) {
  const auto it = open_.find(number);
  if (it == open_.end()) return;
  if (!result.ok) {
    if (it->second.attempts != attempt) return;
    world_.scheduler.After(random_.Between(kBackoffMin, kBackoffMax),
                           [this, number, attempt] { Retry(number, attempt); });
    return;
  }
  Close(number);
  ++world_.statistics.reads;
  Complete(&history_[index], result.outcome);
}

void Customer::Drain() {
  draining_ = true;
  opening_session_ = false;
  for (auto it = open_.begin(); it != open_.end();) {
    // Nobody waits for these any more.
    const Purpose purpose = it->second.purpose;
    it = purpose == Purpose::kSession || purpose == Purpose::kKeyReuse ? open_.erase(it) : ++it;
  }
}

void Customer::ResolveUnknown() {
  Request request{.purpose = Purpose::kResolve};
  for (const size_t index : mine_) {
    if (history_[index].fate != Operation::Fate::kUnknown) continue;
    request.operations = {index};
    Open(request);
  }
}

void Customer::ReplayAll() {
  Request request{.purpose = Purpose::kReplay};
  for (const size_t index : mine_) {
    const Operation& op = history_[index];
    if (op.read() || op.fate != Operation::Fate::kDone) continue;
    request.operations.push_back(index);
    if (request.operations.size() < kReplayBatch) continue;
    Open(request);
    request.operations.clear();
  }
  if (!request.operations.empty()) Open(request);
}

void Customer::TakeSession() {
  opening_session_ = true;
  Open({.purpose = Purpose::kSession});
}

void Customer::Probe(BranchId branch) {
  Operation read;
  read.account = "account0";
  Open({.purpose = Purpose::kRead, .operations = {Record(read)}, .only = branch, .insists = true});
  Operation write;
  write.kind = Kind::kDeposit;
  write.account = "account0";
  write.amount = 1;
  Open(
      {.purpose = Purpose::kWrite, .operations = {Record(write)}, .only = branch, .insists = true});
}

}  // namespace bank::sim
