#include "branch/peers/snapshot_sender.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "branch/peers/convert.h"
#include "branch/peers/hello.h"
#include "spdlog/spdlog.h"

namespace bank::peers {
namespace {

constexpr size_t kPieceBytes = 256 << 10;
constexpr std::chrono::minutes kDeadline{10};

}  // namespace

// All writes but the first start in reactions, and the first before the call: no hold is needed.
class SnapshotSender::Stream final : public grpc::ClientWriteReactor<v1::SnapshotPiece> {
 public:
  Stream(SnapshotSender& sender, const replication::InstallSnapshot& message, uint64_t connection)
      : sender_(sender), connection_(connection), state_(message.snapshot.state) {
    const LinkContext& c = sender.context_;
    c.wait_group->Add();
    *piece_.mutable_head() = ToWire(message);
    *piece_.mutable_head()->mutable_hello() = MakeHello(c.bank, c.self, c.peer, connection);
    context_.set_deadline(std::chrono::system_clock::now() + kDeadline);
  }

  void Start() {
    sender_.context_.stub->async()->InstallSnapshot(&context_, &reply_, this);
    WriteNext();
    StartCall();
  }
  void Cancel() { context_.TryCancel(); }
  // Whether it belongs to this connection and has sent more since this was asked before.
  bool GetsOn(uint64_t connection) {
    const size_t before = std::exchange(seen_, sent_.load());
    return connection == connection_ && seen_ > before;
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return;  // OnDone follows
    piece_.clear_head();
    if (sent_ < state_->size()) return WriteNext();
    StartWritesDone();
  }
  void OnDone(const grpc::Status& status) override {
    if (!status.ok()) {
      spdlog::warn("sending a snapshot to branch {} failed: {}", sender_.context_.peer.value,
                   status.error_message());
    }
    WaitGroup* wait_group = sender_.context_.wait_group;
    {
      absl::MutexLock lock(&sender_.mutex_);
      if (sender_.stream_ == this) sender_.stream_ = nullptr;
    }
    delete this;
    wait_group->Remove();
  }

 private:
  void WriteNext() {
    const size_t n = std::min(kPieceBytes, state_->size() - sent_);
    piece_.set_bytes(state_->data() + sent_, n);
    sent_ += n;
    StartWrite(&piece_);
  }

  SnapshotSender& sender_;
  grpc::ClientContext context_;
  const uint64_t connection_;
  const std::shared_ptr<const std::string> state_;
  std::atomic<size_t> sent_ = 0;  // bytes; changed by reactions only
  size_t seen_ = 0;               // of sent_, by GetsOn(); under the sender's mutex
  v1::SnapshotPiece piece_;
  v1::InstallSnapshotReply reply_;
};

void SnapshotSender::Send(const replication::InstallSnapshot& message, uint64_t connection) {
  absl::MutexLock lock(&mutex_);
  if (shutdown_) return;
  if (stream_ != nullptr) {
    if (stream_->GetsOn(connection)) return;
    stream_->Cancel();
  }
  stream_ = new Stream(*this, message, connection);
  stream_->Start();
}

void SnapshotSender::Shutdown() {
  absl::MutexLock lock(&mutex_);
  shutdown_ = true;
  if (stream_ != nullptr) stream_->Cancel();
}

}  // namespace bank::peers
