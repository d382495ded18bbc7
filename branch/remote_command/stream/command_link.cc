#include "branch/remote_command/stream/command_link.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/synchronization/notification.h"
#include "branch/remote_command/stream/convert.h"

namespace bank::remote_command {

// One stream. gRPC's reactions only post to the task queue, where everything happens; the object
// lives until gRPC has let go of it and nobody on the task queue needs it any more.
class CommandLink::Stream final
    : public grpc::ClientBidiReactor<v1::CommandResponse, v1::CommandRequest>,
      public std::enable_shared_from_this<Stream> {
 public:
  explicit Stream(CommandLink& link) : link_(link) {}

  void Start(v1::Monitor::Stub& stub) {
    self_ = shared_from_this();
    link_.wait_group_.Add();
    for (const auto& [key, value] : link_.options_.metadata) context_.AddMetadata(key, value);
    stub.async()->CommandStream(&context_, this);
    AddHold();  // reads and writes begin on the task queue, outside of reactions
    StartRead(&request_);
    StartCall();
  }

  // On the task queue.
  void Send(v1::CommandResponse response) {
    if (ended_) return;
    queue_.push_back(std::move(response));
    WriteNext();
  }
  void End() {
    if (std::exchange(ended_, true)) return;
    context_.TryCancel();
    RemoveHold();
  }

  void OnReadDone(bool ok) override {
    link_.task_queue_.Post([this, self = shared_from_this(), ok] {
      if (!ok || ended_) return End();
      link_.OnRequest(self, request_);
      if (!ended_) StartRead(&request_);
    });
  }
  void OnWriteDone(bool ok) override {
    link_.task_queue_.Post([this, self = shared_from_this(), ok] {
      writing_ = false;
      if (!ok || ended_) return End();
      if (queue_.front().has_result()) link_.OnAnswered(queue_.front().id());
      queue_.pop_front();
      WriteNext();
    });
  }
  void OnDone(const grpc::Status& status) override {
    CommandLink& link = link_;
    link.task_queue_.Post(
        [&link, self = std::move(self_), status] { link.OnBroken(self, status); });
    link.wait_group_.Remove();
  }

  std::shared_ptr<StreamListener> listener;

 private:
  void WriteNext() {
    if (writing_ || queue_.empty()) return;
    writing_ = true;
    StartWrite(&queue_.front());
  }

  CommandLink& link_;
  grpc::ClientContext context_;
  std::shared_ptr<Stream> self_;  // until OnDone
  v1::CommandRequest request_;
  std::deque<v1::CommandResponse> queue_;  // the first is being written, if `writing_`
  bool writing_ = false;
  bool ended_ = false;
};

// What the runner tells goes to the stream, by way of the task queue; gone with its stream.
class CommandLink::StreamListener final : public Listener {
 public:
  StreamListener(const std::shared_ptr<Stream>& stream, net::TaskQueue& task_queue)
      : stream_(stream), task_queue_(task_queue) {}

  void OnStarted(const std::string& id, int64_t time_unix_ns) override {
    v1::CommandResponse response = ResponseTo(id);
    response.mutable_started()->set_time_unix_nanos(time_unix_ns);
    Post(std::move(response));
  }
  void OnOutput(const std::string& id, std::string_view bytes) override {
    v1::CommandResponse response = ResponseTo(id);
    response.mutable_output()->set_text(std::string(bytes));
    Post(std::move(response));
  }
  void OnEnded(const std::string& id, const Ended& ended) override {
    v1::CommandResponse response = ResponseTo(id);
    ToWire(ended, response.mutable_result());
    Post(std::move(response));
  }

 private:
  static v1::CommandResponse ResponseTo(const std::string& id) {
    v1::CommandResponse response;
    response.set_id(id);
    return response;
  }
  void Post(v1::CommandResponse response) {
    task_queue_.Post([stream = stream_, response = std::move(response)]() mutable {
      if (auto alive = stream.lock()) alive->Send(std::move(response));
    });
  }

  const std::weak_ptr<Stream> stream_;
  net::TaskQueue& task_queue_;
};

CommandLink::CommandLink(Options options, Runner& runner, net::TaskQueue& task_queue)
    : options_(std::move(options)), runner_(runner), task_queue_(task_queue) {}

CommandLink::~CommandLink() = default;

void CommandLink::SetServer(std::shared_ptr<v1::Monitor::Stub> stub) {
  Drop();
  stub_ = std::move(stub);
  ++server_changes_;
  Dial();
}

void CommandLink::Drop() {
  if (stream_ == nullptr) return;
  stream_->listener = nullptr;
  std::exchange(stream_, nullptr)->End();
}

void CommandLink::Dial() {
  if (stub_ == nullptr || stream_ != nullptr || stopping_) return;
  stream_ = std::make_shared<Stream>(*this);
  stream_->listener = std::make_shared<StreamListener>(stream_, task_queue_);
  stream_->Start(*stub_);
  v1::CommandResponse hello;
  *hello.mutable_hello() = options_.self;
  stream_->Send(std::move(hello));
  for (const auto& [id, order] : open_) runner_.Submit(order, stream_->listener);
}

void CommandLink::OnRequest(const std::shared_ptr<Stream>& stream,
                            const v1::CommandRequest& request) {
  if (stream != stream_) return;
  const std::string issuer = options_.issuer_prefix + request.issuer();
  if (request.has_cancel()) {
    runner_.Cancel(request.id(), issuer);
    return;
  }
  Order order = OrderOf(request);
  order.issuer = issuer;
  open_.try_emplace(order.id, order);
  runner_.Submit(order, stream->listener);
}

void CommandLink::OnAnswered(const std::string& id) { open_.erase(id); }

void CommandLink::OnBroken(const std::shared_ptr<Stream>& stream, const grpc::Status& status) {
  stream->listener = nullptr;
  if (stream != stream_) return;
  stream_ = nullptr;
  if (stopping_) return;
  const std::string reason = status.error_message();
  if (reason != last_reason_) spdlog::info("the command stream ended: {}", reason);
  last_reason_ = reason;
  task_queue_.PostAt(task_queue_.clock().NowNs() + kRedialNs, [this, changes = server_changes_] {
    if (changes == server_changes_) Dial();
  });
}

void CommandLink::Stop() {
  absl::Notification dropped;
  task_queue_.Post([this, &dropped] {
    stopping_ = true;
    stub_ = nullptr;
    Drop();
    dropped.Notify();
  });
  dropped.WaitForNotification();
  wait_group_.AwaitNone();
}

}  // namespace bank::remote_command
