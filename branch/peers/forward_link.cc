#include "branch/peers/forward_link.h"

#include <grpcpp/client_context.h>

#include <utility>

#include "branch/peers/convert.h"
#include "branch/peers/hello.h"
#include "spdlog/spdlog.h"

namespace bank::peers {

using replication::Fate;

// As MessageLink::Stream: a hold covers the writes that start outside of reactions.
class ForwardLink::Stream final
    : public grpc::ClientBidiReactor<v1::ForwardRequest, v1::ForwardReply> {
 public:
  explicit Stream(ForwardLink& link) : link_(link) { link.context_.wait_group->Add(); }

  void Start() {
    link_.context_.stub->async()->Forward(&context_, this);
    AddHold();
    StartRead(&reply_);
    StartCall();
  }
  void Write(v1::ForwardRequest request, bool more) {
    writing_ = std::move(request);
    grpc::WriteOptions options;
    if (more) options.set_buffer_hint();
    StartWrite(&writing_, options);
  }
  void Cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (!ok) return Break();
    v1::ForwardReply reply = std::move(reply_);
    reply_.Clear();
    StartRead(&reply_);
    link_.OnReply(this, std::move(reply));
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Break();
    absl::MutexLock lock(&link_.mutex_);
    if (link_.stream_ != this) return;
    link_.writing_ = false;
    link_.WriteNextLocked();
  }
  void OnDone(const grpc::Status&) override {
    WaitGroup* wait_group = link_.context_.wait_group;
    delete this;
    wait_group->Remove();
  }

 private:
  void Break() {
    OpenMap lost;
    {
      absl::MutexLock lock(&link_.mutex_);
      lost = link_.BreakLocked(this);
    }
    Lose(std::move(lost));
  }

  ForwardLink& link_;
  grpc::ClientContext context_;
  v1::ForwardReply reply_;
  v1::ForwardRequest writing_;
};

void ForwardLink::Forward(replication::ForwardRequest request, replication::ForwardCallback done) {
  const uint64_t count = request.count;
  v1::ForwardRequest wire = ToWire(std::move(request));
  const char* refusal = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    if (open_.size() >= kOpenMax) {
      refusal = "too many requests to the leader are unanswered";
    } else if (!DialLocked()) {
      refusal = "the leader cannot be reached";
    } else {
      const uint64_t id = next_id_++;
      wire.set_id(id);
      open_.emplace(id, Open{count, false, std::move(done)});
      queue_.push_back(std::move(wire));
      WriteNextLocked();
    }
  }
  if (refusal != nullptr) done({Fate::kNotApplied, {}, refusal, {}, {}});
}

void ForwardLink::Shutdown() {
  OpenMap lost;
  {
    absl::MutexLock lock(&mutex_);
    shutdown_ = true;
    if (stream_ != nullptr) lost = BreakLocked(stream_);
  }
  Lose(std::move(lost));
}

bool ForwardLink::DialLocked() {
  if (shutdown_) return false;
  if (stream_ != nullptr) return true;
  if (context_.clock->NowNs() < next_dial_ns_) return false;
  hello_due_ = true;
  stream_ = new Stream(*this);
  stream_->Start();
  return true;
}

void ForwardLink::WriteNextLocked() {
  if (writing_ || queue_.empty()) return;
  writing_ = true;
  v1::ForwardRequest wire = std::move(queue_.front());
  queue_.pop_front();
  if (std::exchange(hello_due_, false)) {
    *wire.mutable_hello() =
        MakeHello(context_.bank, context_.self, context_.peer, context_.numbers->Next());
  }
  open_[wire.id()].written = true;
  stream_->Write(std::move(wire), !queue_.empty());
}

ForwardLink::OpenMap ForwardLink::BreakLocked(Stream* stream) {
  if (stream_ != stream) return {};
  stream_ = nullptr;
  writing_ = false;
  queue_.clear();
  next_dial_ns_ = context_.clock->NowNs() + kRedialNs;
  stream->Cancel();
  stream->RemoveHold();
  return std::exchange(open_, {});
}

void ForwardLink::Lose(OpenMap lost) {
  for (auto& [id, open] : lost) {
    open.done({open.written ? Fate::kUnknown : Fate::kNotApplied,
               {},
               "the connection to the leader broke",
               {},
               {}});
  }
}

void ForwardLink::OnReply(Stream* stream, v1::ForwardReply reply) {
  Open open;
  {
    absl::MutexLock lock(&mutex_);
    if (stream_ != stream) return;  // broken since: everything was completed then
    auto it = open_.find(reply.id());
    if (it == open_.end()) return;
    open = std::move(it->second);
    open_.erase(it);
  }
  auto result = FromWire(std::move(reply), open.count);
  if (!result.ok()) {
    spdlog::error("branch {} answered nonsense: {}", context_.peer.value,
                  result.status().ToString());
    return open.done({Fate::kUnknown, {}, std::string(result.status().message()), {}, {}});
  }
  open.done(*std::move(result));
}

}  // namespace bank::peers
