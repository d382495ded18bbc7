#include "branch/remote_command/stream/command_run_call.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"

namespace bank::remote_command {
namespace {

constexpr int64_t kAskAgainNs = 100'000'000;
// Beyond a command's own deadline: for a new leader to be found, and asked.
constexpr int64_t kPatienceNs = 5'000'000'000;

// What a broken connection, a branch that stops or one that leads no longer may say: nothing about
// the command.
bool SaysNothing(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::CANCELLED ||
         code == grpc::StatusCode::UNKNOWN || code == grpc::StatusCode::INTERNAL;
}

}  // namespace

BankCommands::RunCall::RunCall(BankCommands& commands, v1::RunCommandRequest request, bool relayed)
    : commands_(commands),
      request_(std::move(request)),
      relayed_(relayed),
      give_up_ns_(commands.task_queue_.clock().NowNs() + request_.deadline_ms() * kNsPerMs +
                  kPatienceNs) {}

void BankCommands::RunCall::Start() {
  self_ = shared_from_this();
  commands_.task_queue_.Post([self = self_] { self->Ask(); });
}

void BankCommands::RunCall::Ask() {
  if (ended_) return;
  for (auto& [agent, told] : told_) told.arriving = 0;
  const telemetry::Leader leader = commands_.leader_tracker_.Current();
  if (leader.self) return commands_.dispatcher_.Run(request_, shared_from_this());
  if (relayed_ || leader.stub == nullptr || commands_.shutdown_) {
    return OnDone({grpc::StatusCode::UNAVAILABLE, "nobody leads the bank now"});
  }
  std::make_shared<RunRelay>(commands_, shared_from_this())->Start(*leader.stub, request_);
}

void BankCommands::RunCall::OnUpdate(v1::CommandUpdate update) {
  if (ended_) return;
  Told& told = told_[update.agent()];
  if (told.result) return;
  if (update.has_started() && std::exchange(told.started, true)) return;
  if (update.has_output()) {
    std::string& text = *update.mutable_output()->mutable_text();
    const size_t known = told.output - std::min(told.output, told.arriving);
    told.arriving += text.size();
    text.erase(0, std::min(known, text.size()));
    if (text.empty()) return;
    told.output += text.size();
  }
  if (update.has_result()) told.result = true;
  queue_.push_back(std::move(update));
  WriteNext();
}

void BankCommands::RunCall::OnDone(const grpc::Status& status) {
  if (ended_) return;
  const int64_t now_ns = commands_.task_queue_.clock().NowNs();
  // A relayed call's caller asks again by itself.
  if (SaysNothing(status.error_code()) && !relayed_ && !commands_.shutdown_ &&
      now_ns < give_up_ns_) {
    commands_.task_queue_.PostAt(now_ns + kAskAgainNs,
                                 [self = shared_from_this()] { self->Ask(); });
    return;
  }
  ended_ = true;
  status_ = status;
  if (SaysNothing(status.error_code())) {
    status_ = {grpc::StatusCode::UNAVAILABLE,
               "unknown: " + status.error_message() + ": ask again with the same id"};
  }
  WriteNext();
}

void BankCommands::RunCall::WriteNext() {
  if (finished_ || writing_) return;
  if (!queue_.empty()) {
    writing_ = true;
    StartWrite(&queue_.front());
  } else if (ended_) {
    finished_ = true;
    Finish(status_);
  }
}

void BankCommands::RunCall::OnWriteDone(bool ok) {
  commands_.task_queue_.Post([this, self = shared_from_this(), ok] {
    writing_ = false;
    queue_.pop_front();
    if (!ok) {
      ended_ = true;
      queue_.clear();
    }
    WriteNext();
  });
}

void BankCommands::RunCall::OnCancel() {
  // The command goes on; whoever wants to know its end asks with its id.
  commands_.task_queue_.Post([this, self = shared_from_this()] {
    ended_ = true;
    status_ = grpc::Status::CANCELLED;
    if (!writing_) queue_.clear();
    WriteNext();
  });
}

void BankCommands::RunCall::OnDone() {
  commands_.task_queue_.Post([self = std::move(self_)] { self->ended_ = true; });
}

void BankCommands::RunRelay::Start(v1::Monitor::Stub& stub, const v1::RunCommandRequest& request) {
  self_ = shared_from_this();
  commands_.Begin(this);
  context_.AddMetadata(kRelayMetadata, commands_.options_.agent);
  request_ = request;
  stub.async()->RunCommand(&context_, &request_, this);
  StartRead(&update_);
  StartCall();
}

void BankCommands::RunRelay::OnReadDone(bool ok) {
  if (!ok) return;
  commands_.task_queue_.Post(
      [call = call_, update = std::move(update_)]() mutable { call->OnUpdate(std::move(update)); });
  update_.Clear();
  StartRead(&update_);
}

void BankCommands::RunRelay::OnDone(const grpc::Status& status) {
  BankCommands& commands = commands_;
  commands.task_queue_.Post([self = std::move(self_), status] {
    self->commands_.End(self.get());
    self->call_->OnDone(status);
  });
  commands.wait_group_.Remove();
}

}  // namespace bank::remote_command
