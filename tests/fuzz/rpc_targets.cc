#include <algorithm>
#include <optional>

#include "branch/ledger/ledger.h"
#include "branch/rpc/convert.h"
#include "branch/teller/teller.h"
#include "common/check.h"
#include "tests/fuzz/target.h"
#include "tests/support/seeded_entropy.h"
#include "tests/support/test_clock.h"

namespace bank::fuzz {
namespace {

using namespace rpc;
using ledger::Code;
using ledger::Kind;

constexpr BranchId kBranch{1};
constexpr int64_t kInTimeNs = 1'000'000'000;

// A bank of one branch that has decided everything before it is asked.
class OneBranch final : public replication::Replicator {
 public:
  // With the shared account, another one, and a customer's session.
  OneBranch() {
    std::string batch;
    ledger::AppendCommand({.kind = Kind::kOpen, .account = "shared", .amount = 400}, &batch);
    ledger::AppendCommand({.kind = Kind::kOpen, .account = "alice", .amount = 5}, &batch);
    ledger::AppendCommand({.kind = Kind::kOpenSession}, &batch);
    Propose(batch, 3, kInTimeNs, [this](const replication::ProposeResult& result) {
      session_ = SessionId(result.outcomes[2].position.value);
    });
  }

  SessionId session() const { return session_; }
  const ledger::Ledger& ledger() const { return ledger_; }

  void Propose(std::string batch, uint64_t count, int64_t, ProposeCallback done) override {
    replication::ProposeResult result{replication::Fate::kApplied, {}, {}};
    const absl::Status applied =
        ledger_.Apply(ledger::EncodeEntry({0, count}, batch), &result.outcomes);
    BANK_CHECK(applied.ok()) << "the teller made a malformed batch: " << applied;
    done(std::move(result));
  }
  void ReadBarrier(int64_t, ReadCallback done) override { done(absl::OkStatus()); }
  void WaitApplied(Position position, int64_t, ReadCallback done) override {
    done(position <= ledger_.position() ? absl::OkStatus()
                                        : absl::DeadlineExceededError("it is not there yet"));
  }
  ledger::Outcome Query(std::string_view account) const override { return ledger_.Query(account); }
  replication::ReplicatorStatus GetStatus() const override {
    replication::ReplicatorStatus status;
    status.ledger = ledger_.summary();
    return status;
  }

 private:
  ledger::Ledger ledger_;
  SessionId session_;
};

// The branch has answered a write without a key before: its own session is open.
struct ServiceContext {
  ServiceContext() {
    teller.Execute({.kind = Kind::kDeposit, .amount = 1}, kInTimeNs,
                   [](const teller::TellerReply& reply) {
                     BANK_CHECK(reply.fate == teller::Fate::kApplied) << reply.reason;
                   });
  }

  TestClock clock{0};
  OneBranch bank;
  SeededEntropy entropy;
  teller::Teller teller{{}, bank, clock, entropy};
};

// As the customers' service does it. Nothing: no outcome, for `reason`.
std::optional<v1::Reply> Deliver(ServiceContext& desk, const v1::Request& request,
                                 std::string* reason) {
  v1::Reply reply;
  const std::optional<Kind> kind = KindOfInterface(request.request());
  if (!kind) {
    FillBadRequest(request.request(), kBranch, &reply);
    return reply;
  }
  int answers = 0;
  bool applied = false;
  desk.teller.Execute(OperationOf(*kind, request), kInTimeNs,
                      [&](const teller::TellerReply& result) {
                        ++answers;
                        applied = result.fate == teller::Fate::kApplied;
                        if (applied) {
                          FillReply(result.outcome, kBranch, &reply);
                        } else {
                          *reason = result.reason;
                        }
                      });
  BANK_CHECK(answers == 1) << answers;
  if (!applied) return std::nullopt;
  return reply;
}

v1::BatchReply Deliver(ServiceContext& desk, const v1::Batch& batch) {
  v1::BatchReply reply;
  BatchScratch scratch;
  int answers = 0;
  desk.teller.ExecuteBatch(ColumnsOf(batch, &scratch), kInTimeNs,
                           [&](const teller::BatchReply& result) {
                             ++answers;
                             FillBatchReply(result, &reply);
                           });
  BANK_CHECK(answers == 1) << answers;
  return reply;
}

// Operation i of the batch, as a customer would ask it alone.
v1::Request RequestOf(const v1::Batch& batch, int i) {
  static constexpr const char* kNames[] = {"query", "deposit", "withdraw", "open", "transfer"};
  v1::Request request;
  request.set_request(kNames[batch.kind(i)]);
  if (batch.money_size() > 0) request.set_money(batch.money(i));
  const auto name = [&](const auto& column) {
    const uint32_t at = column.empty() ? 0 : column.Get(i);
    return batch.account_name_size() == 0 ? "shared" : batch.account_name(static_cast<int>(at));
  };
  request.set_account(name(batch.account()));
  if (batch.kind(i) == v1::Batch::TRANSFER) request.set_to_account(name(batch.to_account()));
  request.set_session(batch.session());
  request.set_sequence(batch.first_sequence() + static_cast<uint64_t>(i));
  request.set_answered_below(batch.answered_below());
  return request;
}

// A refused batch changes nothing and says why; one with a key that is refused is answered so for
// every operation; any other is answered as its operations would be one by one. Session 1 stands
// for the one that is open.
void RunBatch(std::string_view bytes) {
  v1::Batch batch;
  if (!batch.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  ServiceContext desk;
  if (batch.session() == 1) batch.set_session(desk.bank.session().value);
  const ledger::Summary before = desk.bank.ledger().summary();
  const v1::BatchReply reply = Deliver(desk, batch);
  const absl::Status conserved = desk.bank.ledger().Freeze().CheckConservation();
  BANK_CHECK(conserved.ok()) << conserved;
  if (reply.fate() != v1::BatchReply::APPLIED) {
    CheckRefusal(absl::AbortedError(reply.message()));
    BANK_CHECK(reply.code_size() + reply.money_size() + reply.position_step_size() == 0);
    BANK_CHECK(desk.bank.ledger().summary().balance_total == before.balance_total);
    return;
  }
  const int count = batch.kind_size();
  const Code refused =
      teller::CheckKey(SessionId(batch.session()), batch.first_sequence(), batch.answered_below());
  const bool writes = std::any_of(batch.kind().begin(), batch.kind().end(),
                                  [](int kind) { return kind != v1::Batch::QUERY; });
  if (refused != Code::kOk && writes) {
    BANK_CHECK(reply.code_size() == count);
    for (const int code : reply.code()) BANK_CHECK(code == static_cast<int>(refused)) << code;
    BANK_CHECK(desk.bank.ledger().summary().balance_total == before.balance_total);
    return;
  }
  BANK_CHECK(reply.code_size() == count && reply.money_size() == count &&
             reply.position_step_size() == count)
      << reply.ShortDebugString();
  ServiceContext single;
  uint64_t index = reply.first_position();
  for (int i = 0; i < count; ++i) {
    index += static_cast<uint64_t>(reply.position_step(i));
    std::string reason;
    const std::optional<v1::Reply> alone = Deliver(single, RequestOf(batch, i), &reason);
    BANK_CHECK(alone.has_value()) << reason;
    BANK_CHECK(alone->code() == reply.code(i) && alone->money() == reply.money(i) &&
               alone->position() == index)
        << "operation " << i << ": " << alone->ShortDebugString() << " but in the batch "
        << reply.code(i) << " " << reply.money(i) << " " << index;
  }
}

// Whatever is asked, money is conserved, a refusal says why, and asking again with a key changes
// nothing and answers the same.
void RunRequest(std::string_view bytes) {
  v1::Request request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return;
  ServiceContext desk;
  if (request.session() == 1) request.set_session(desk.bank.session().value);
  std::string reason;
  const std::optional<v1::Reply> reply = Deliver(desk, request, &reason);
  const absl::Status conserved = desk.bank.ledger().Freeze().CheckConservation();
  BANK_CHECK(conserved.ok()) << conserved;
  if (!reply) {
    const grpc::Status status = StatusOfFate(teller::Fate::kUnavailable, reason, true);
    return CheckRefusal(absl::UnavailableError(status.error_message()), "not answered: ");
  }
  if (!reply->success()) CheckRefusal(absl::AbortedError(reply->message()));
  BANK_CHECK(reply->success() == (reply->code() == v1::OK)) << reply->ShortDebugString();
  const bool has_key = request.session() != 0 && request.request() != "query";
  if (!has_key) return;
  const int64_t total = desk.bank.ledger().summary().balance_total;
  std::optional<v1::Reply> again = Deliver(desk, request, &reason);
  BANK_CHECK(again.has_value()) << reason;
  BANK_CHECK(desk.bank.ledger().summary().balance_total == total) << "a second effect";
  again->set_replayed(reply->replayed());
  BANK_CHECK(again->SerializeAsString() == reply->SerializeAsString())
      << reply->ShortDebugString() << "\n"
      << again->ShortDebugString();
}

std::vector<std::string> BatchSeeds() {
  v1::Batch batch;
  for (v1::Batch::Kind kind : {v1::Batch::DEPOSIT, v1::Batch::QUERY, v1::Batch::TRANSFER,
                               v1::Batch::OPEN, v1::Batch::WITHDRAW}) {
    batch.add_kind(kind);
    batch.add_money(170);
    batch.add_account(kind == v1::Batch::OPEN ? 2 : 0);
    batch.add_to_account(1);
  }
  for (const char* name : {"shared", "alice", "bob"}) batch.add_account_name(name);
  std::vector<std::string> seeds = {batch.SerializeAsString()};
  batch.set_session(1);
  batch.set_first_sequence(1);
  batch.set_answered_below(1);
  seeds.push_back(batch.SerializeAsString());
  v1::Batch queries;
  queries.add_kind(v1::Batch::QUERY);
  queries.add_kind(v1::Batch::QUERY);
  seeds.push_back(queries.SerializeAsString());
  return seeds;
}

std::vector<std::string> RequestSeeds() {
  std::vector<std::string> seeds;
  for (const char* interface : {"query", "deposit", "withdraw", "open", "transfer", "steal"}) {
    v1::Request request;
    request.set_request(interface);
    request.set_money(170);
    seeds.push_back(request.SerializeAsString());
    request.set_account("shared");
    request.set_to_account("alice");
    request.set_session(1);
    request.set_sequence(1);
    request.set_consistency(v1::AT_LEAST);
    request.set_minimum_position(3);
    seeds.push_back(request.SerializeAsString());
  }
  return seeds;
}

constexpr FuzzTarget kTargets[] = {{"rpc_batch", RunBatch, BatchSeeds},
                                   {"rpc_request", RunRequest, RequestSeeds}};

}  // namespace

std::span<const FuzzTarget> RpcTargets() { return kTargets; }

}  // namespace bank::fuzz
