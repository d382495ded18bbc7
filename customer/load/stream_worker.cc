// Stream worker: batches over one stream, several in flight, one reply each, in order.
//
// A batch whose reply says "not applied", or whose stream broke, is sent again with the same keys;
// after a break the stream is opened at the next branch. A batch that stays unknown until patience
// is at an end is recorded as such.
#include <grpcpp/client_context.h>
#include <grpcpp/support/async_stream.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "common/check.h"
#include "customer/client/wire.h"
#include "customer/load/worker.h"

namespace bank::load {
namespace {

using client::CallFate;
using client::ReplyKind;
using client::RetryPolicy;
using history::Ending;

struct Group {
  std::vector<Pending> operations;
  v1::Batch batch;
  RetryPolicy retry_policy;
  int64_t start_ns;
  int64_t call_deadline_ns = 0;
  bool maybe_applied = false;  // some attempt's fate is unknown
};

// Calls a member function of its worker.
class Signal final : public Event {
 public:
  explicit Signal(std::function<void(bool)> on) : on_(std::move(on)) {}
  void On(bool ok) override { on_(ok); }

 private:
  const std::function<void(bool)> on_;
};

class StreamWorker final : public Worker {
 public:
  StreamWorker(std::vector<client::Branch>& branches, Engine& engine, const WorkerOptions& options)
      : branches_(branches),
        engine_(engine),
        options_(options),
        sequences_(options.window),
        at_(options.first_branch) {}

  ~StreamWorker() override {
    // The engine runs no more completions of ours; take the outstanding ones off its queue.
    closing_ = true;
    if (context_) context_->TryCancel();
    while (outstanding_ > 0) {
      void* tag = nullptr;
      bool ok = false;
      BANK_CHECK(engine_.queue().Next(&tag, &ok));
      static_cast<Event*>(tag)->On(ok);
    }
  }

  void Begin() override {
    if (!watching_) {
      watching_ = true;
      engine_.After(kWatchNs, watch_);
    }
    Fill();
  }

 private:
  static constexpr int64_t kWatchNs = 50'000'000;
  enum class State { kClosed, kOpening, kOpen, kBroken };

  // --- Operations --------------------------------------------------------------------------------
  void Fill() {
    while (groups_ < options_.in_flight && sequences_.HasRoom(options_.batch_size)) {
      std::unique_ptr<Group> group = NextGroup();
      if (group == nullptr) break;
      ++groups_;
      to_send_.push_back(std::move(group));
    }
    Pump();
  }

  std::unique_ptr<Group> NextGroup() {
    std::vector<Pending> operations;
    while (operations.size() < options_.batch_size) {
      std::optional<history::Operation> operation = engine_.Take();
      if (!operation) break;
      // In a batch queries use up sequences too.
      const history::Identity identity{.process = options_.process,
                                       .id = next_id_++,
                                       .session = options_.session,
                                       .sequence = sequences_.Take()};
      operations.push_back({*std::move(operation), identity});
    }
    if (operations.empty()) return nullptr;
    const int64_t now_ns = engine_.NowNs();
    auto group =
        std::make_unique<Group>(Group{.operations = std::move(operations),
                                      .batch = {},
                                      .retry_policy = RetryPolicy(engine_.patience(), {}, now_ns),
                                      .start_ns = now_ns});
    FillBatch(*group);
    for (const Pending& pending : group->operations) engine_.Invoked(pending, branches_[at_].id);
    return group;
  }

  void FillBatch(Group& group) {
    v1::Batch& batch = group.batch;
    std::map<std::string_view, uint32_t> names;
    auto number_of = [&](const std::string& name) {
      const auto [found, added] = names.emplace(name, static_cast<uint32_t>(names.size()));
      if (added) batch.add_account_name(name);
      return found->second;
    };
    bool transfers = false;
    for (const Pending& pending : group.operations) {
      const history::Operation& operation = pending.operation;
      batch.add_kind(client::BatchKind(operation.op));
      batch.add_money(operation.amount);
      batch.add_account(number_of(operation.account));
      transfers = transfers || operation.op == history::Op::kTransfer;
      batch.add_to_account(operation.op == history::Op::kTransfer ? number_of(operation.to) : 0);
    }
    if (!transfers) batch.clear_to_account();
    if (names.size() == 1) batch.clear_account();
    batch.set_session(options_.session.value);
    batch.set_first_sequence(group.operations.front().identity.sequence);
    batch.set_deadline_ms(engine_.patience().attempt_ns_max / 1'000'000);
  }

  void Finish(Group& group, const v1::BatchReply* reply, Ending ending, const std::string& reason) {
    int64_t index = reply != nullptr ? static_cast<int64_t>(reply->first_position()) : 0;
    for (size_t i = 0; i < group.operations.size(); ++i) {
      const Pending& pending = group.operations[i];
      history::Completion completion{.ending = ending, .reason = reason};
      if (reply != nullptr) {
        const auto k = static_cast<int>(i);
        const v1::ResultCode code = reply->code(k);
        if (i > 0) index += reply->position_step(k);
        const ReplyKind kind = client::KindOf(code);
        completion.result = client::ResultName(code);
        completion.balance = reply->money(k);
        completion.index = Position(static_cast<uint64_t>(index));
        completion.replayed = reply->replayed_size() > k && reply->replayed(k);
        if (kind == ReplyKind::kNotApplied) completion.ending = Ending::kFail;
        if (group.maybe_applied && (kind == ReplyKind::kLostKey || kind == ReplyKind::kTryLater)) {
          completion.ending = Ending::kInfo;
        }
        if (completion.ending != Ending::kOk) completion.reason = completion.result;
      }
      sequences_.Answer(pending.identity.sequence);
      engine_.Settled(pending, completion, reply != nullptr ? branches_[at_].id : BranchId(),
                      group.start_ns);
    }
    --groups_;
  }

  // An attempt of `group` ended without outcomes.
  void Retry(std::unique_ptr<Group> group, CallFate fate, const std::string& reason) {
    group->maybe_applied = group->maybe_applied || fate == CallFate::kUnknown;
    const RetryPolicy::Next next =
        group->retry_policy.OnCall(fate, ReplyKind::kFinal, engine_.NowNs());
    if (next == RetryPolicy::Next::kCall) {
      engine_.CountRetry();
      retry_wait_ns_ = std::max(retry_wait_ns_, group->retry_policy.WaitNs(engine_.Random()));
      to_send_.push_back(std::move(group));
      return;
    }
    // Looking up every key of a batch would cost more than it tells: unknown is the truth, too.
    Finish(*group, nullptr,
           next == RetryPolicy::Next::kLookup ? Ending::kInfo : group->retry_policy.ending(),
           reason);
  }

  // --- The stream --------------------------------------------------------------------------------
  void Pump() {
    if (closing_ || waiting_) return;
    if (retry_wait_ns_ > 0) {
      waiting_ = true;
      engine_.After(std::exchange(retry_wait_ns_, 0), resume_);
      return;
    }
    if (to_send_.empty()) return;
    if (state_ == State::kClosed) return Open();
    if (state_ != State::kOpen || writing_) return;
    std::unique_ptr<Group> group = std::move(to_send_.front());
    to_send_.pop_front();
    group->batch.set_answered_below(sequences_.answered_below());
    group->call_deadline_ns = group->retry_policy.CallDeadlineNs(engine_.NowNs());
    writing_ = true;
    ++outstanding_;
    stream_->Write(group->batch, &written_);
    in_flight_.push_back(std::move(group));
  }

  void Open() {
    state_ = State::kOpening;
    context_.emplace();
    stream_ = branches_[at_].stub->PrepareAsyncStream(&*context_, &engine_.queue());
    ++outstanding_;
    open_deadline_ns_ = engine_.NowNs() + engine_.patience().attempt_ns_max;
    stream_->StartCall(&opened_);
  }

  void OnOpened(bool ok) {
    --outstanding_;
    if (!ok) return Break();
    state_ = State::kOpen;
    Read();
    Pump();
  }

  void Read() {
    reading_ = true;
    ++outstanding_;
    stream_->Read(&reply_, &read_);
  }

  void OnWritten(bool ok) {
    --outstanding_;
    writing_ = false;
    if (state_ == State::kBroken) return Break();
    // A write that failed is told by the read, too, which ends then.
    if (ok) Pump();
  }

  void OnRead(bool ok) {
    --outstanding_;
    reading_ = false;
    if (!ok || in_flight_.empty() || state_ == State::kBroken) return Break();
    std::unique_ptr<Group> group = std::move(in_flight_.front());
    in_flight_.pop_front();
    const int count = group->batch.kind_size();
    const bool whole = reply_.first_sequence() == group->batch.first_sequence() &&
                       reply_.code_size() == count && reply_.money_size() == count &&
                       reply_.position_step_size() == count;
    if (reply_.fate() == v1::BatchReply::APPLIED && whole) {
      Finish(*group, &reply_, Ending::kOk, "");
    } else {
      Retry(
          std::move(group),
          reply_.fate() == v1::BatchReply::NOT_APPLIED ? CallFate::kNotApplied : CallFate::kUnknown,
          reply_.message());
    }
    Read();
    if (!closing_) Fill();
  }

  // Waits for what is still outstanding, then for the status, then goes to the next branch.
  void Break() {
    state_ = State::kBroken;
    if (writing_ || reading_ || finishing_) return;
    finishing_ = true;
    ++outstanding_;
    context_->TryCancel();
    stream_->Finish(&status_, &finished_);
  }

  void OnFinished() {
    --outstanding_;
    finishing_ = false;
    stream_.reset();
    context_.reset();
    state_ = State::kClosed;
    if (closing_) return;
    if (options_.failover) at_ = (at_ + 1) % branches_.size();
    // A broken stream says nothing about its batches; those never written are still to_send_.
    std::deque<std::unique_ptr<Group>> broken = std::exchange(in_flight_, {});
    for (auto& group : broken) {
      Retry(std::move(group), CallFate::kUnknown, client::Describe(status_));
    }
    Impatient();
    // Even with nothing in flight do not reopen in a tight loop.
    retry_wait_ns_ = std::max(retry_wait_ns_, engine_.patience().backoff_ns_min);
    Fill();
  }

  // Ends the batches that cannot be sent for too long.
  void Impatient() {
    std::deque<std::unique_ptr<Group>> waiting = std::exchange(to_send_, {});
    for (auto& group : waiting) {
      if (engine_.NowNs() - group->start_ns < engine_.patience().operation_ns_max) {
        to_send_.push_back(std::move(group));
      } else {
        Finish(*group, nullptr, group->maybe_applied ? Ending::kInfo : Ending::kFail,
               client::Describe(status_));
      }
    }
  }

  // A branch that is there and says nothing: give its stream up.
  void OnWatch() {
    const int64_t now_ns = engine_.NowNs();
    const bool silent = !in_flight_.empty() && in_flight_.front()->call_deadline_ns < now_ns;
    const bool stuck = state_ == State::kOpening && open_deadline_ns_ < now_ns;
    if ((silent || stuck) && context_) context_->TryCancel();
    engine_.After(kWatchNs, watch_);
  }

  std::vector<client::Branch>& branches_;
  Engine& engine_;
  const WorkerOptions options_;
  Sequences sequences_;
  uint64_t next_id_ = 1;
  uint32_t groups_ = 0;  // under way
  std::deque<std::unique_ptr<Group>> to_send_;
  std::deque<std::unique_ptr<Group>> in_flight_;  // written or being written, in order

  size_t at_;  // index of the branch of the stream
  State state_ = State::kClosed;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::Batch, v1::BatchReply>> stream_;
  v1::BatchReply reply_;
  grpc::Status status_;
  bool writing_ = false;
  bool reading_ = false;
  bool finishing_ = false;
  bool waiting_ = false;  // for resume_
  bool watching_ = false;
  bool closing_ = false;
  int outstanding_ = 0;  // completions of this worker that the queue still owes
  int64_t open_deadline_ns_ = 0;
  int64_t retry_wait_ns_ = 0;

  Signal opened_{[this](bool ok) { OnOpened(ok); }};
  Signal written_{[this](bool ok) { OnWritten(ok); }};
  Signal read_{[this](bool ok) { OnRead(ok); }};
  Signal finished_{[this](bool) { OnFinished(); }};
  Signal watch_{[this](bool) { OnWatch(); }};
  Signal resume_{[this](bool) {
    waiting_ = false;
    Pump();
  }};
};

}  // namespace

std::unique_ptr<Worker> MakeStreamWorker(std::vector<client::Branch>& branches, Engine& engine,
                                         const WorkerOptions& options) {
  return std::make_unique<StreamWorker>(branches, engine, options);
}

}  // namespace bank::load
