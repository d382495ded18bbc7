#include "branch/peers/cluster_service.h"

#include <deque>
#include <memory>
#include <utility>

#include "branch/peers/convert.h"

namespace bank::peers {

using replication::Fate;
using replication::ForwardResult;

// A peer's messages. A read is under way at all times, so a break or a cancellation shows as a
// failed read; the call is finished there and only there.
class ClusterService::MessagesCall final
    : public grpc::ServerBidiReactor<v1::PeerMessage, v1::MessagesReply> {
 public:
  MessagesCall(ClusterService& service, grpc::CallbackServerContext* context)
      : service_(service), context_(context) {
    if (!service_.Begin(context)) {
      Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, replication::kStopping));
      return;
    }
    StartRead(&message_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      TellLost();
      return Finish(grpc::Status::OK);
    }
    if (absl::Status status = Take(); !status.ok()) {
      TellLost();
      return Finish(service_.refusals_.Refuse(status));
    }
    StartRead(&message_);
  }
  void OnDone() override {
    ClusterService& service = service_;
    grpc::CallbackServerContext* context = context_;
    delete this;
    service.End(context);
  }

 private:
  // Nothing more comes. Not said of a stream that a newer one has followed.
  void TellLost() {
    service_.senders_.Deliver(sender_, connection_,
                              [&] { service_.handler_.OnConnectionLost(sender_); });
  }

  absl::Status Take() {
    if (connection_ == 0) {
      if (!message_.has_hello()) return absl::InvalidArgumentError("the first message is no hello");
      if (auto status = service_.CheckCaller(message_.hello()); !status.ok()) return status;
      const BranchId sender(message_.hello().branch());
      if (auto s = service_.senders_.Admit(sender, message_.hello().connection()); !s.ok()) {
        return s;
      }
      sender_ = sender;
      connection_ = message_.hello().connection();
      return absl::OkStatus();
    }
    auto message = FromWire(sender_, std::move(message_));
    if (!message.ok()) return message.status();
    if (!service_.senders_.Deliver(sender_, connection_, [&] {
          service_.handler_.OnMessage(sender_, *std::move(message));
        })) {
      return absl::AbortedError("a newer stream of this branch was seen");
    }
    return absl::OkStatus();
  }

  ClusterService& service_;
  grpc::CallbackServerContext* const context_;
  BranchId sender_;
  uint64_t connection_ = 0;
  v1::PeerMessage message_;
};

class ClusterService::SnapshotCall final : public grpc::ServerReadReactor<v1::SnapshotPiece> {
 public:
  SnapshotCall(ClusterService& service, grpc::CallbackServerContext* context)
      : service_(service), context_(context) {
    if (!service_.Begin(context)) {
      Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, replication::kStopping));
      return;
    }
    StartRead(&piece_);
  }

  void OnReadDone(bool ok) override {
    // The end of the stream and a broken stream look alike; size and checksum tell.
    if (!ok) return Finish(service_.refusals_.Refuse(Deliver()));
    if (absl::Status status = Take(); !status.ok())
      return Finish(service_.refusals_.Refuse(status));
    StartRead(&piece_);
  }
  void OnDone() override {
    ClusterService& service = service_;
    grpc::CallbackServerContext* context = context_;
    delete this;
    service.End(context);
  }

 private:
  absl::Status Take() {
    if (!begun_) {
      if (!piece_.has_head()) return absl::InvalidArgumentError("the first piece has no head");
      if (auto s = service_.CheckCaller(piece_.head().hello()); !s.ok()) return s;
      if (piece_.head().size_bytes() > service_.options_.snapshot_bytes_max) {
        return absl::InvalidArgumentError("the snapshot is too large");
      }
      head_ = std::move(*piece_.mutable_head());
      sender_ = BranchId(head_.hello().branch());
      begun_ = true;
    }
    if (piece_.bytes().size() > head_.size_bytes() - state_.size()) {
      return absl::InvalidArgumentError("the snapshot is longer than its head says");
    }
    // Of one sender one snapshot at a time is kept in memory, and nothing that belongs to no stream
    // of messages. A head may overtake the hello of that stream by a little.
    SenderTable& senders = service_.senders_;
    if (snapshot_ == 0) snapshot_ = senders.BeginSnapshot(sender_, head_.hello().connection());
    if (snapshot_ == 0 && state_.size() + piece_.bytes().size() > kUnclaimedBytesMax) {
      return absl::AbortedError(kOldStream);
    }
    if (snapshot_ != 0 && !senders.IsArriving(sender_, snapshot_)) {
      return absl::AbortedError("another snapshot of this branch has begun");
    }
    state_ += piece_.bytes();
    return absl::OkStatus();
  }

  absl::Status Deliver() {
    if (!begun_) return absl::InvalidArgumentError("the first piece has no head");
    const uint64_t connection = head_.hello().connection();
    auto message = FromWire(std::move(head_), std::move(state_));
    if (!message.ok()) return message.status();
    if (!service_.senders_.Deliver(sender_, connection, [&] {
          service_.handler_.OnMessage(sender_, *std::move(message));
        })) {
      return absl::AbortedError(kOldStream);
    }
    return absl::OkStatus();
  }

  static constexpr size_t kUnclaimedBytesMax = 1 << 20;
  static constexpr char kOldStream[] = "the messages' stream it belongs to is no longer the newest";

  ClusterService& service_;
  grpc::CallbackServerContext* const context_;
  bool begun_ = false;
  BranchId sender_;
  uint64_t snapshot_ = 0;  // its number in the sender table
  v1::SnapshotHead head_;
  std::string state_;
  v1::SnapshotPiece piece_;
};

class ClusterService::ForwardCall final
    : public grpc::ServerBidiReactor<v1::ForwardRequest, v1::ForwardReply> {
 public:
  ForwardCall(ClusterService& service, grpc::CallbackServerContext* context)
      : service_(service), context_(context), exit_(std::make_shared<Exit>()) {
    if (!service_.Begin(context)) {
      Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, replication::kStopping));
      return;
    }
    {
      absl::MutexLock lock(&exit_->mutex);
      exit_->call = this;
    }
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Close(grpc::Status::OK);
    v1::ForwardRequest request = std::move(request_);
    request_.Clear();
    if (caller_.value == 0) {
      if (auto s = service_.CheckCaller(request.hello()); !s.ok()) {
        return Close(service_.refusals_.Refuse(s));
      }
      caller_ = BranchId(request.hello().branch());
    }
    const uint64_t id = request.id();
    auto checked = FromWire(std::move(request));
    if (!checked.ok()) return Close(service_.refusals_.Refuse(checked.status()));
    StartRead(&request_);
    // From here the next reaction may run beside this one; the callback outlives both.
    if (!Enter()) {
      exit_->Reply(id, {Fate::kNotApplied, {}, "the leader is busy", {}, {}});
      return;
    }
    service_.handler_.OnForward(caller_, *std::move(checked),
                                [exit = exit_, id](ForwardResult result) {
                                  exit->Leave();
                                  exit->Reply(id, result);
                                });
  }
  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&exit_->mutex);
    exit_->writing = false;
    if (!ok) exit_->queue.clear();  // the read fails, too, and closes
    Continue();
  }
  void OnDone() override {
    ClusterService& service = service_;
    grpc::CallbackServerContext* context = context_;
    delete this;
    service.End(context);
  }

 private:
  static constexpr size_t kUnansweredMax = 1024;

  // What the answers see of the call: they may come after its end. Shared for that reason.
  struct Exit {
    absl::Mutex mutex;
    ForwardCall* call ABSL_GUARDED_BY(mutex) = nullptr;  // null: closed, answers are dropped
    bool writing ABSL_GUARDED_BY(mutex) = false;
    size_t unanswered ABSL_GUARDED_BY(mutex) = 0;
    std::deque<v1::ForwardReply> queue ABSL_GUARDED_BY(mutex);

    void Leave() {
      absl::MutexLock lock(&mutex);
      --unanswered;
    }
    void Reply(uint64_t id, const ForwardResult& result) {
      v1::ForwardReply reply = ToWire(result);
      reply.set_id(id);
      absl::MutexLock lock(&mutex);
      if (call == nullptr) return;
      queue.push_back(std::move(reply));
      if (!writing) call->Continue();
    }
  };

  bool Enter() {
    absl::MutexLock lock(&exit_->mutex);
    if (exit_->unanswered >= kUnansweredMax) return false;
    ++exit_->unanswered;
    return true;
  }

  // With the exit's lock held and no write under way: writes the next answer, or finishes.
  void Continue() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (closing_) {
      Finish(closing_status_);
      return;
    }
    if (exit_->queue.empty()) return;
    exit_->writing = true;
    reply_ = std::move(exit_->queue.front());
    exit_->queue.pop_front();
    grpc::WriteOptions options;
    if (!exit_->queue.empty()) options.set_buffer_hint();
    StartWrite(&reply_, options);
  }

  // Called once, instead of the next read.
  void Close(grpc::Status status) {
    absl::MutexLock lock(&exit_->mutex);
    exit_->call = nullptr;
    exit_->queue.clear();
    closing_ = true;
    closing_status_ = std::move(status);
    if (!exit_->writing) Continue();
  }

  ClusterService& service_;
  grpc::CallbackServerContext* const context_;
  const std::shared_ptr<Exit> exit_;
  BranchId caller_;
  v1::ForwardRequest request_;
  v1::ForwardReply reply_;
  bool closing_ = false;  // guarded by the exit's lock, as is the status
  grpc::Status closing_status_;
};

ClusterOptions ClusterOptionsOf(const PeersOptions& peers) {
  ClusterOptions options{.bank = peers.bank, .self = peers.self, .branches = {peers.self}};
  for (const auto& [branch, address] : peers.addresses) options.branches.insert(branch);
  return options;
}

ClusterService::ClusterService(ClusterOptions options, replication::PeerHandler& handler)
    : options_(std::move(options)), handler_(handler), senders_(options_.branches) {}

ClusterService::~ClusterService() { Shutdown(); }

void ClusterService::Shutdown() {
  {
    absl::MutexLock lock(&mutex_);
    shutdown_ = true;
    for (grpc::CallbackServerContext* context : calls_) context->TryCancel();
  }
  wait_group_.AwaitNone();
}

grpc::ServerBidiReactor<v1::PeerMessage, v1::MessagesReply>* ClusterService::Messages(
    grpc::CallbackServerContext* context) {
  return new MessagesCall(*this, context);
}

grpc::ServerReadReactor<v1::SnapshotPiece>* ClusterService::InstallSnapshot(
    grpc::CallbackServerContext* context, v1::InstallSnapshotReply* /*reply*/) {
  return new SnapshotCall(*this, context);
}

grpc::ServerBidiReactor<v1::ForwardRequest, v1::ForwardReply>* ClusterService::Forward(
    grpc::CallbackServerContext* context) {
  return new ForwardCall(*this, context);
}

bool ClusterService::Begin(grpc::CallbackServerContext* context) {
  wait_group_.Add();
  absl::MutexLock lock(&mutex_);
  if (shutdown_) return false;
  calls_.insert(context);
  return true;
}

void ClusterService::End(grpc::CallbackServerContext* context) {
  {
    absl::MutexLock lock(&mutex_);
    calls_.erase(context);
  }
  wait_group_.Remove();
}

absl::Status ClusterService::CheckCaller(const v1::Hello& hello) const {
  if (auto status = CheckHello(hello, options_.bank, options_.self); !status.ok()) return status;
  return senders_.CheckKnown(BranchId(hello.branch()));
}

}  // namespace bank::peers
