#include "customer/client/bank_client.h"

#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "common/check.h"
#include "common/planted.h"
#include "customer/client/wire.h"

namespace bank::client {

using history::Ending;
using history::Op;
using Next = RetryPolicy::Next;

BankClient::BankClient(std::vector<Branch> branches, const Clock& clock, Options options)
    : branches_(std::move(branches)), clock_(clock), options_(options), random_(options.seed) {
  BANK_CHECK(!branches_.empty());
}

absl::Status BankClient::AwaitServing(BranchId branch, int64_t deadline_ns) {
  for (const Branch& known : branches_) {
    if (known.id == branch) return client::AwaitServing(known, clock_, deadline_ns);
  }
  return absl::NotFoundError(fmt::format("the address of branch {} is not known", branch.value));
}

absl::Status BankClient::OpenSession(BranchId first) {
  RetryPolicy retry_policy(options_.patience, {.changes_state = false, .has_key = false},
                           clock_.NowNs());
  // A session opened by an attempt whose reply got lost stays unused and expires.
  for (uint32_t attempt = 0;; ++attempt) {
    Wait(retry_policy);
    const int64_t now_ns = clock_.NowNs();
    Branch& branch = Choose(first, attempt);
    grpc::ClientContext call;
    call.set_deadline(GrpcDeadline(retry_policy.CallDeadlineNs(now_ns), now_ns));
    v1::OpenSessionReply reply;
    const grpc::Status status = branch.stub->OpenSession(&call, {}, &reply);
    if (retry_policy.OnCall(FateOf(status), ReplyKind::kFinal, clock_.NowNs()) != Next::kSettled) {
      continue;
    }
    if (status.ok()) {
      session_ = SessionId(reply.session());
      opened_at_ = Position(reply.position());
      window_ = reply.window();
      next_sequence_ = 1;
      return absl::OkStatus();
    }
    const std::string reason = fmt::format("branch {} at {}: no session: {}", branch.id.value,
                                           branch.address, Describe(status));
    return retry_policy.denied() ? absl::PermissionDeniedError(reason)
                                 : absl::UnavailableError(reason);
  }
}

Answer BankClient::Perform(const history::Operation& operation, BranchId first) {
  const bool write = operation.op != Op::kQuery;
  history::Identity identity{.process = options_.process, .id = next_id_++};
  if (write && session_ != SessionId()) {
    identity.session = session_;
    identity.sequence = next_sequence_++;
  }
  v1::Request request;
  // One operation at a time: all below this one are settled.
  FillRequest(operation, identity, identity.sequence, &request);
  if (write && options_.logical_clock) request.set_clock(++logical_clock_);

  const int64_t start_ns = clock_.NowNs();
  RetryPolicy retry_policy(options_.patience,
                           {.changes_state = write, .has_key = identity.session != SessionId()},
                           start_ns);
  if (options_.recorder != nullptr) {
    options_.recorder->Invoke(identity, operation, Choose(first, 0).id);
  }
  grpc::Status status;
  v1::Reply reply;
  Next next = Next::kCall;
  for (uint32_t attempt = 0; next == Next::kCall; ++attempt) {
    Wait(retry_policy);
    Branch& branch = Choose(first, attempt);
    if (IsPlanted(Planted::kRetryWithNewKey) && attempt > 0) request.set_sequence(next_sequence_++);
    Call(request, branch, retry_policy.CallDeadlineNs(clock_.NowNs()), &status, &reply);
    next = retry_policy.OnCall(FateOf(status), KindOf(reply.code()), clock_.NowNs());
  }
  if (next == Next::kLookup) LookUp(identity, first, retry_policy, &status, &reply);
  Answer answer = MakeAnswer(retry_policy, identity, status, reply);
  Record(operation, answer);
  return answer;
}

Answer BankClient::Lookup(SessionId session, uint64_t sequence, BranchId first) {
  const history::Identity identity{
      .process = options_.process, .id = 0, .session = session, .sequence = sequence};
  RetryPolicy retry_policy(options_.patience, {}, clock_.NowNs());
  grpc::Status status;
  v1::Reply reply;
  LookUp(identity, first, retry_policy, &status, &reply);
  return MakeAnswer(retry_policy, identity, status, reply);
}

Branch& BankClient::Choose(BranchId first, uint32_t attempt) {
  size_t start = 0;
  for (size_t i = 0; i < branches_.size(); ++i) {
    if (branches_[i].id == first) start = i;
  }
  if (!options_.failover) return branches_[start];
  return branches_[(start + attempt) % branches_.size()];
}

void BankClient::Wait(const RetryPolicy& retry_policy) {
  // Nothing announces that an election is over; asking again is how a customer learns it.
  const int64_t wait_ns = retry_policy.WaitNs(random_());
  if (wait_ns > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(wait_ns));
}

void BankClient::Call(const v1::Request& request, Branch& branch, int64_t deadline_ns,
                      grpc::Status* status, v1::Reply* reply) {
  grpc::ClientContext call;
  call.set_deadline(GrpcDeadline(deadline_ns, clock_.NowNs()));
  reply->Clear();
  *status = branch.stub->MsgDelivery(&call, request, reply);
  if (reply->branch() == 0 && status->ok())
    reply->set_branch(static_cast<uint32_t>(branch.id.value));
}

void BankClient::LookUp(const history::Identity& identity, BranchId first,
                        RetryPolicy& retry_policy, grpc::Status* status, v1::Reply* reply) {
  v1::LookupRequest request;
  request.set_session(identity.session.value);
  request.set_sequence(identity.sequence);
  Next next = Next::kLookup;
  for (uint32_t attempt = 0; next == Next::kLookup; ++attempt) {
    Wait(retry_policy);
    const int64_t now_ns = clock_.NowNs();
    grpc::ClientContext call;
    call.set_deadline(GrpcDeadline(retry_policy.CallDeadlineNs(now_ns), now_ns));
    reply->Clear();
    *status = Choose(first, attempt).stub->Lookup(&call, request, reply);
    next = retry_policy.OnLookup(FateOf(*status), KindOf(reply->code()), clock_.NowNs());
  }
}

Answer BankClient::MakeAnswer(const RetryPolicy& retry_policy, const history::Identity& identity,
                              const grpc::Status& status, const v1::Reply& reply) {
  Answer answer;
  answer.ending = retry_policy.ending();
  answer.identity = identity;
  answer.attempts = retry_policy.attempts();
  answer.denied = retry_policy.denied();
  if (status.ok()) {
    answer.code = reply.code();
    answer.branch = BranchId(reply.branch());
    answer.reason = reply.message();
    if (answer.reason.empty() && reply.code() != v1::OK) answer.reason = ResultName(reply.code());
  } else {
    answer.reason = Describe(status);
  }
  if (answer.ending != Ending::kOk) return answer;
  answer.balance = reply.money();
  answer.position = Position(reply.position());
  answer.replayed = reply.replayed();
  seen_ = std::max(seen_, answer.position);
  return answer;
}

void BankClient::Record(const history::Operation& operation, const Answer& answer) {
  if (options_.recorder == nullptr) return;
  history::Completion completion{.ending = answer.ending};
  if (answer.ending == Ending::kOk) {
    completion.result = ResultName(answer.code);
    completion.balance = answer.balance;
    completion.index = answer.position;
    completion.replayed = answer.replayed;
  } else {
    completion.reason = answer.reason;
  }
  options_.recorder->Complete(answer.identity, operation, completion, answer.branch);
}

}  // namespace bank::client
