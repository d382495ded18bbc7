// Unary worker: slots, each with one operation under way, settled like BankClient does it.
#include <grpcpp/client_context.h>
#include <grpcpp/support/async_unary_call.h>

#include <deque>
#include <optional>
#include <vector>

#include "customer/client/wire.h"
#include "customer/load/pace.h"
#include "customer/load/worker.h"

namespace bank::load {
namespace {

using client::RetryPolicy;
using history::Op;

class UnaryWorker;

class Slot final : public Event {
 public:
  explicit Slot(UnaryWorker& worker) : worker_(worker) {}
  // False if there is nothing more to do.
  bool Start();
  // When the operation under way began.
  int64_t start_ns() const { return start_ns_; }
  void On(bool ok) override;

 private:
  void Send();
  void Continue(RetryPolicy::Next next);
  void Finish();

  UnaryWorker& worker_;
  Pending pending_;
  int64_t start_ns_ = 0;
  uint32_t sent_ = 0;  // calls of this operation
  std::optional<RetryPolicy> retry_policy_;
  bool looking_up_ = false;
  bool waiting_ = false;  // for a timer, not for a call
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::Reply>> call_;
  v1::Request request_;
  v1::LookupRequest lookup_;
  v1::Reply reply_;
  grpc::Status status_;
};

class UnaryWorker final : public Worker {
 public:
  UnaryWorker(std::vector<client::Branch>& branches, Engine& engine, const WorkerOptions& options)
      : branches_(branches),
        engine_(engine),
        options_(options),
        sequences_(options.window),
        pace_(options.in_flight, engine.patience().attempt_ns_max) {}

  void Begin() override {
    while (pace_.HasRoom() && sequences_.HasRoom(1)) {
      if (idle_.empty()) idle_.push_back(&slots_.emplace_back(*this));
      Slot* const slot = idle_.back();
      if (!slot->Start()) return;
      idle_.pop_back();
      pace_.Begin();
    }
  }

  // The slot's operation is settled.
  void Ended(Slot& slot) {
    pace_.End(engine_.NowNs() - slot.start_ns());
    idle_.push_back(&slot);
    Begin();
  }

  client::Branch& Choose(uint32_t attempt) {
    const size_t step = options_.failover ? attempt : 0;
    return branches_[(options_.first_branch + step) % branches_.size()];
  }
  Engine& engine() { return engine_; }
  Sequences& sequences() { return sequences_; }
  history::Identity NextIdentity(bool write) {
    history::Identity identity{.process = options_.process, .id = next_id_++};
    if (!write) return identity;
    identity.session = options_.session;
    identity.sequence = sequences_.Take();
    return identity;
  }

 private:
  std::vector<client::Branch>& branches_;
  Engine& engine_;
  const WorkerOptions options_;
  Sequences sequences_;
  uint64_t next_id_ = 1;
  Pace pace_;
  std::deque<Slot> slots_;  // never moved
  std::vector<Slot*> idle_;
};

bool Slot::Start() {
  Engine& engine = worker_.engine();
  std::optional<history::Operation> operation = engine.Take();
  if (!operation) return false;
  const bool write = operation->op != Op::kQuery;
  pending_ = {*std::move(operation), worker_.NextIdentity(write)};
  request_.Clear();
  client::FillRequest(pending_.operation, pending_.identity, worker_.sequences().answered_below(),
                      &request_);
  start_ns_ = engine.NowNs();
  retry_policy_.emplace(engine.patience(),
                        RetryPolicy::Kind{.changes_state = write, .has_key = write}, start_ns_);
  sent_ = 0;
  looking_up_ = false;
  engine.Invoked(pending_, worker_.Choose(0).id);
  Send();
  return true;
}

void Slot::Send() {
  Engine& engine = worker_.engine();
  const int64_t now_ns = engine.NowNs();
  v1::Customer::Stub& stub = *worker_.Choose(sent_++).stub;
  context_.emplace();
  context_->set_deadline(client::GrpcDeadline(retry_policy_->CallDeadlineNs(now_ns), now_ns));
  reply_.Clear();
  call_ = looking_up_ ? stub.AsyncLookup(&*context_, lookup_, &engine.queue())
                      : stub.AsyncMsgDelivery(&*context_, request_, &engine.queue());
  call_->Finish(&reply_, &status_, this);
}

void Slot::On(bool) {
  if (waiting_) {
    waiting_ = false;
    return Send();
  }
  const client::CallFate fate = client::FateOf(status_);
  const client::ReplyKind kind = client::KindOf(reply_.code());
  const int64_t now_ns = worker_.engine().NowNs();
  Continue(looking_up_ ? retry_policy_->OnLookup(fate, kind, now_ns)
                       : retry_policy_->OnCall(fate, kind, now_ns));
}

void Slot::Continue(RetryPolicy::Next next) {
  if (next == RetryPolicy::Next::kSettled) return Finish();
  Engine& engine = worker_.engine();
  engine.CountRetry();
  if (next == RetryPolicy::Next::kLookup && !looking_up_) {
    looking_up_ = true;
    lookup_.set_session(pending_.identity.session.value);
    lookup_.set_sequence(pending_.identity.sequence);
  }
  const int64_t wait_ns = retry_policy_->WaitNs(engine.Random());
  if (wait_ns == 0) return Send();
  waiting_ = true;
  engine.After(wait_ns, *this);
}

void Slot::Finish() {
  history::Completion completion{.ending = retry_policy_->ending()};
  std::string reason;
  if (completion.ending == history::Ending::kOk) {
    completion.result = client::ResultName(reply_.code());
    completion.balance = reply_.money();
    completion.index = Position(reply_.position());
    completion.replayed = reply_.replayed();
  } else {
    reason =
        status_.ok() ? std::string(client::ResultName(reply_.code())) : client::Describe(status_);
    completion.reason = reason;
  }
  if (pending_.identity.sequence != 0) worker_.sequences().Answer(pending_.identity.sequence);
  worker_.engine().Settled(pending_, completion, BranchId(reply_.branch()), start_ns_);
  worker_.Ended(*this);
}

}  // namespace

std::unique_ptr<Worker> MakeUnaryWorker(std::vector<client::Branch>& branches, Engine& engine,
                                        const WorkerOptions& options) {
  return std::make_unique<UnaryWorker>(branches, engine, options);
}

}  // namespace bank::load
