#include "branch/peers/message_link.h"

#include <grpcpp/client_context.h>

#include <utility>

#include "branch/peers/hello.h"
#include "spdlog/spdlog.h"

namespace bank::peers {

// One stream. Writes may start outside of reactions, under the link's mutex: a hold keeps the
// stream alive for them until it breaks. The read that never brings anything tells of the break.
class MessageLink::Stream final
    : public grpc::ClientBidiReactor<v1::PeerMessage, v1::MessagesReply> {
 public:
  Stream(MessageLink& link, uint64_t connection) : link_(link), connection_(connection) {
    link.context_.wait_group->Add();
  }

  void Start() {
    link_.context_.stub->async()->Messages(&context_, this);
    AddHold();
    StartRead(&reply_);
    StartCall();
  }
  void Write(v1::PeerMessage message, bool more) {
    writing_ = std::move(message);
    grpc::WriteOptions options;
    if (more) options.set_buffer_hint();
    StartWrite(&writing_, options);
  }
  void Cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (ok) return StartRead(&reply_);
    absl::MutexLock lock(&link_.mutex_);
    link_.BreakLocked(this);
  }
  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&link_.mutex_);
    if (!ok) return link_.BreakLocked(this);
    if (link_.stream_ != this) return;
    link_.writing_ = false;
    link_.WriteNextLocked();
  }
  void OnDone(const grpc::Status& status) override {
    // As SenderTable and ClusterService say it.
    if (status.error_code() == grpc::StatusCode::ABORTED) link_.OnFollowed(connection_);
    link_.OnBroken(status.error_message());
    WaitGroup* wait_group = link_.context_.wait_group;
    delete this;
    wait_group->Remove();
  }

 private:
  MessageLink& link_;
  const uint64_t connection_;
  grpc::ClientContext context_;
  v1::MessagesReply reply_;
  v1::PeerMessage writing_;
};

void MessageLink::Send(v1::PeerMessage message) {
  const size_t bytes = message.ByteSizeLong();
  absl::MutexLock lock(&mutex_);
  if (!DialLocked()) return;
  queue_.push_back(std::move(message));
  queue_bytes_ += bytes;
  while (queue_.size() > 1 && (queue_.size() > kQueuedMax || queue_bytes_ > kQueuedBytesMax)) {
    queue_bytes_ -= queue_.front().ByteSizeLong();
    queue_.pop_front();
  }
  WriteNextLocked();
}

uint64_t MessageLink::Connect() {
  absl::MutexLock lock(&mutex_);
  return DialLocked() ? connection_ : 0;
}

void MessageLink::Shutdown() {
  absl::MutexLock lock(&mutex_);
  shutdown_ = true;
  if (stream_ != nullptr) BreakLocked(stream_);
}

bool MessageLink::DialLocked() {
  if (shutdown_) return false;
  if (stream_ != nullptr) return true;
  if (context_.clock->NowNs() < next_dial_ns_) return false;
  connection_ = context_.numbers->Next();
  stream_ = new Stream(*this, connection_);
  stream_->Start();
  v1::PeerMessage first;
  *first.mutable_hello() = MakeHello(context_.bank, context_.self, context_.peer, connection_);
  writing_ = true;
  stream_->Write(std::move(first), /*more=*/false);
  return true;
}

void MessageLink::WriteNextLocked() {
  if (writing_ || queue_.empty()) return;
  writing_ = true;
  v1::PeerMessage message = std::move(queue_.front());
  queue_.pop_front();
  queue_bytes_ -= message.ByteSizeLong();
  stream_->Write(std::move(message), !queue_.empty());
}

void MessageLink::BreakLocked(Stream* stream) {
  if (stream_ != stream) return;
  stream_ = nullptr;
  writing_ = false;
  queue_.clear();
  queue_bytes_ = 0;
  next_dial_ns_ = context_.clock->NowNs() + kRedialNs;
  stream->Cancel();
  stream->RemoveHold();
}

void MessageLink::OnFollowed(uint64_t connection) {
  {
    absl::MutexLock lock(&mutex_);
    if (connection != connection_) return;  // by this link's own next stream
  }
  context_.numbers->OnFollowed(connection);
}

void MessageLink::OnBroken(const std::string& reason) {
  absl::MutexLock lock(&mutex_);
  if (shutdown_ || reason == last_reason_) return;
  last_reason_ = reason;
  spdlog::info("the stream to branch {} ended: {}", context_.peer.value, reason);
}

}  // namespace bank::peers
