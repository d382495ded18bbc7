#include "tests/sim/client_frontend.h"

#include <utility>

#include "common/clock.h"
#include "tests/sim/branch_process.h"

namespace bank::sim {
namespace {

// Some branches gather much, some send at once, as their load would have it.
replication::ForwarderOptions ForwarderOf(Random& random) {
  replication::ForwarderOptions options;
  options.calls_max = static_cast<size_t>(random.Between(1, 3));
  options.further_call_commands_min = static_cast<uint64_t>(random.Between(1, 12));
  options.call_commands_max = random.OneIn(3) ? 8192 : static_cast<uint64_t>(random.Between(1, 16));
  return options;
}

teller::Operation ForTeller(const Operation& op, const Call& call) {
  return {.kind = op.kind,
          .account = op.account,
          .to = op.to,
          .amount = op.amount,
          .session = op.read() ? SessionId(0) : call.session,
          .sequence = call.first_sequence,
          .answered_below = call.answered_below,
          .consistency = op.consistency,
          .minimum_position = op.minimum};
}

// A batch's columns, and what they refer to.
struct Columns {
  std::vector<ledger::Kind> kind;
  std::vector<int64_t> amount;
  std::vector<std::string_view> names;
  std::vector<uint32_t> account;
  std::vector<uint32_t> to;

  explicit Columns(const std::vector<Operation>& operations) {
    for (const Operation& op : operations) {
      kind.push_back(op.kind);
      amount.push_back(op.amount);
      account.push_back(static_cast<uint32_t>(names.size()));
      names.push_back(op.account);
      to.push_back(static_cast<uint32_t>(names.size()));
      names.push_back(op.to);
    }
  }
};

CallReply Whole(teller::TellerReply one) {
  CallReply reply;
  reply.fate = one.fate;
  if (one.fate == teller::Fate::kApplied) reply.outcomes.push_back(one.outcome);
  reply.reason = std::move(one.reason);
  reply.session = one.session;
  reply.first_sequence = one.sequence;
  return reply;
}

}  // namespace

ClientFrontend::ClientFrontend(World& world, BranchProcess& branch, Random random,
                               uint64_t session_window_max)
    : branch_(branch),
      peers_(world, branch, random.Fork()),
      local_replica_(branch),
      router_(branch.id(), ForwarderOf(random), branch.steady_clock(), peers_, local_replica_),
      entropy_(random.Fork()),
      teller_({.session_window_max = session_window_max}, *this, branch.steady_clock(), entropy_) {}

ClientFrontend::~ClientFrontend() { router_.Stop(); }

void ClientFrontend::Serve(const Call& call, absl::AnyInvocable<void(CallReply)> done) {
  const int64_t deadline_ns = branch_.steady_clock().NowNs() + call.timeout_ms * kNsPerMs;
  auto answer = [this, life = branch_.life(), done = std::move(done)](CallReply reply) mutable {
    if (branch_.life() != life) return;
    branch_.Later(0, [done = std::move(done), reply = std::move(reply)]() mutable {
      done(std::move(reply));
    });
  };
  if (call.kind == Call::Kind::kBatch) {
    const Columns columns(call.operations);
    return teller_.ExecuteBatch({.kind = columns.kind,
                                 .amount = columns.amount,
                                 .names = columns.names,
                                 .account = columns.account,
                                 .to = columns.to,
                                 .session = call.session,
                                 .first_sequence = call.first_sequence,
                                 .answered_below = call.answered_below},
                                deadline_ns, std::move(answer));
  }
  auto answer_one = [answer = std::move(answer)](teller::TellerReply reply) mutable {
    answer(Whole(std::move(reply)));
  };
  switch (call.kind) {
    case Call::Kind::kOpenSession:
      return teller_.OpenSession(call.owner, deadline_ns, std::move(answer_one));
    case Call::Kind::kLookup:
      return teller_.Lookup(call.session, call.first_sequence, deadline_ns, std::move(answer_one));
    default:
      return teller_.Execute(ForTeller(call.operations.front(), call), deadline_ns,
                             std::move(answer_one));
  }
}

void ClientFrontend::OnForward(replication::ForwardRequest request,
                               replication::ForwardCallback reply) {
  router_.OnForward(std::move(request), std::move(reply));
}

// --- replication::Orders ---

void ClientFrontend::DriverReplica::Propose(std::string batch, uint64_t count, int64_t deadline_ms,
                                            replication::Replicator::ProposeCallback done) {
  branch_.Later(0, [this, batch = std::move(batch), count, deadline_ms,
                    done = branch_.InNextStep(std::move(done))]() mutable {
    branch_.Drive([&](replication::Driver& driver, int64_t now_ms) {
      driver.Propose(now_ms, std::move(batch), count, deadline_ms, std::move(done));
    });
  });
}

void ClientFrontend::DriverReplica::ReadIndex(int64_t deadline_ms,
                                              replication::ReadIndexCallback done) {
  branch_.Later(0, [this, deadline_ms, done = branch_.InNextStep(std::move(done))]() mutable {
    branch_.Drive([&](replication::Driver& driver, int64_t now_ms) {
      driver.ReadIndex(now_ms, deadline_ms, std::move(done));
    });
  });
}

BranchId ClientFrontend::DriverReplica::leader() const { return branch_.status().leader; }

void ClientFrontend::DriverReplica::WakeBy(int64_t) { branch_.ArmTimer(); }

// --- replication::Replicator ---

void ClientFrontend::Propose(std::string batch, uint64_t count, int64_t deadline_ns,
                             ProposeCallback done) {
  router_.Propose(std::move(batch), count, deadline_ns, std::move(done));
}

void ClientFrontend::ReadBarrier(int64_t deadline_ns, ReadCallback done) {
  router_.ReadBarrier(deadline_ns, std::move(done));
}

void ClientFrontend::WaitApplied(Position position, int64_t deadline_ns, ReadCallback done) {
  if (branch_.status().ledger.position >= position) return done(absl::OkStatus());
  branch_.Later(0, [this, position, deadline_ms = deadline_ns / kNsPerMs + 1,
                    done = branch_.InNextStep(std::move(done))]() mutable {
    branch_.Drive([&](replication::Driver& driver, int64_t now_ms) {
      driver.WaitPosition(now_ms, position, deadline_ms, std::move(done));
    });
  });
}

ledger::Outcome ClientFrontend::Query(std::string_view account) const {
  return branch_.ledger().Query(account);
}

replication::ReplicatorStatus ClientFrontend::GetStatus() const { return branch_.status(); }

}  // namespace bank::sim
