#include "tests/sim/customer.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace bank::sim {
namespace {

using ledger::Kind;

constexpr NodeId kOtherLines = 1000;  // from a customer's own node to that of its second client
constexpr size_t kReplayBatchMax = 16;

}  // namespace

Customer::Customer(World& world, History& history, const CustomerOptions& options)
    : world_(world),
      history_(history),
      options_(options),
      line_(world, kFirstCustomerNode + options.number),
      other_line_(world, kFirstCustomerNode + options.number + kOtherLines),
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
    if (!opening_session_) TakeSession();
    return;
  }
  if (random_.Permille(20)) TryKeyReuse();
  if (random_.Permille(options_.read_permille)) {
    return Open({.purpose = Purpose::kRead, .operations = {Record(InventRead(), SessionId(0))}});
  }
  const Request request = NewWrite();
  if (!request.once && random_.Permille(20)) ContendFor(request);
  Open(request);
}

Customer::Request Customer::NewWrite() {
  Request request;
  request.once = random_.Permille(options_.keyless_permille);
  request.session = request.once ? SessionId(0) : session_;
  request.first_sequence = request.once ? 0 : next_sequence_;
  for (int64_t n = random_.Between(1, static_cast<int64_t>(options_.batch_max)); n > 0; --n) {
    Operation op = Invent();
    if (request.once) {
      op.amount = kKeylessAmountMin + static_cast<int64_t>(history_.size());
      ++world_.statistics.writes_without_key;
    }
    request.operations.push_back(Record(std::move(op), request.session));
  }
  return request;
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

Operation Customer::InventRead() {
  Operation read;
  read.account = absl::StrCat("account", random_.Below(options_.accounts));
  const uint64_t dice = random_.Below(10);
  if (dice < 2) {
    read.consistency = teller::Consistency::kAtLeast;
    read.minimum = seen_;
  } else if (dice < 4) {
    read.consistency = teller::Consistency::kLocal;
  }
  return read;
}

size_t Customer::Record(Operation operation, SessionId session) {
  operation.customer = options_.number;
  operation.invoked_at = world_.scheduler.now();
  if (session != SessionId(0)) {
    // In a batch queries use up sequences too.
    const uint64_t sequence = next_sequence_++;
    if (!operation.read()) {
      operation.session = session;
      operation.sequence = sequence;
      unanswered_.insert(sequence);
    }
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
  if (op.read() || op.keyless() || op.fate != Operation::Fate::kDone) return;
  Open({.purpose = Purpose::kKeyReuse,
        .operations = {index},
        .session = op.session,
        .first_sequence = op.sequence});
}

// Somebody else comes with a key that is just being used: with other content, of which only one can
// win, or to ask what became of it, which may seal it.
void Customer::ContendFor(const Request& request) {
  const size_t index = request.operations.front();
  if (history_[index].read()) return;
  ++world_.statistics.keys_contended;
  history_[index].contended = true;
  Request other{.operations = {index},
                .session = request.session,
                .first_sequence = history_[index].sequence};
  if (random_.OneIn(2)) {
    other.purpose = Purpose::kResolve;
  } else {
    Operation rival = history_[index];
    rival.amount += 1;
    history_.push_back(std::move(rival));
    mine_.push_back(history_.size() - 1);
    other.operations = {history_.size() - 1};
  }
  Open(other);
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
  for (const size_t index : mine_) {
    const Operation& op = history_[index];
    if (op.fate != Operation::Fate::kUnknown) continue;
    Open({.purpose = Purpose::kResolve,
          .operations = {index},
          .session = op.session,
          .first_sequence = op.sequence});
  }
}

void Customer::ReplayAll() {
  Request request{.purpose = Purpose::kReplay};
  const auto flush = [&] {
    if (!request.operations.empty()) Open(request);
    request.operations.clear();
  };
  for (const size_t index : mine_) {
    const Operation& op = history_[index];
    if (op.read() || op.keyless() || op.fate != Operation::Fate::kDone) continue;
    if (request.session != op.session || request.operations.size() == kReplayBatchMax ||
        request.first_sequence + request.operations.size() != op.sequence) {
      flush();
      request.session = op.session;
      request.first_sequence = op.sequence;
    }
    request.operations.push_back(index);
  }
  flush();
}

void Customer::TakeSession() {
  opening_session_ = true;
  Open({.purpose = Purpose::kSession});
}

void Customer::Probe(BranchId branch) {
  Operation read;
  read.account = "account0";
  Open({.purpose = Purpose::kRead,
        .operations = {Record(read, SessionId(0))},
        .only = branch,
        .insists = true});
  Operation write;
  write.kind = Kind::kDeposit;
  write.account = "account0";
  write.amount = 1;
  const uint64_t sequence = next_sequence_;
  Open({.operations = {Record(write, session_)},
        .session = session_,
        .first_sequence = sequence,
        .only = branch,
        .insists = true});
}

}  // namespace bank::sim
