#include "branch/remote_command/stream/command_agent_call.h"

#include <utility>

#include "branch/remote_command/catalog.h"
#include "branch/telemetry/stream/telemetry_sync.h"

namespace bank::remote_command {
namespace {

bool HasMetadata(const grpc::CallbackServerContext& call, const char* key,
                 const std::string& value) {
  const auto it = call.client_metadata().find(key);
  return it != call.client_metadata().end() &&
         (value.empty() || std::string(it->second.data(), it->second.size()) == value);
}

}  // namespace

BankCommands::AgentCall::AgentCall(BankCommands& commands, grpc::CallbackServerContext* call)
    : commands_(commands),
      call_(*call),
      own_(HasMetadata(*call, telemetry::kBankKey, commands.options_.bank_number)),
      relayed_(HasMetadata(*call, kRelayMetadata, "")) {}

void BankCommands::AgentCall::Start() {
  self_ = shared_from_this();
  reading_ = true;
  StartRead(&response_);
}

void BankCommands::AgentCall::Send(v1::CommandRequest request) {
  if (ended_) return;
  if (queue_.size() >= kQueuedMax) {
    return End({grpc::StatusCode::RESOURCE_EXHAUSTED, "the agent does not read its commands"});
  }
  queue_.push_back(std::move(request));
  WriteNext();
}

void BankCommands::AgentCall::End(const grpc::Status& status) {
  if (std::exchange(ended_, true)) return;
  commands_.dispatcher_.Leave(this);
  if (relay_ != nullptr) relay_->Cancel();
  status_ = status;
  if (!writing_) return Finish(status_);
  // An agent that does not read lets no write end.
  if (queue_.size() >= kQueuedMax) call_.TryCancel();
}

void BankCommands::AgentCall::OnReadDone(bool ok) {
  commands_.task_queue_.Post([this, self = shared_from_this(), ok] {
    reading_ = false;
    if (!ok) return End(grpc::Status::OK);
    if (ended_) return;
    OnResponse();
    ReadNext();
  });
}

void BankCommands::AgentCall::OnResponse() {
  if (!joined_) {
    if (grpc::Status joined = Join(); !joined.ok()) return End(joined);
    joined_ = true;
  } else if (relay_ != nullptr) {
    relay_->Send(std::move(response_));
  } else {
    commands_.dispatcher_.OnResponse(this, response_);
  }
}

grpc::Status BankCommands::AgentCall::Join() {
  if (!response_.has_hello()) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "an agent's first message is its hello"};
  }
  const v1::Agent& hello = response_.hello();
  if (absl::Status good = CheckAgentName(hello.agent()); !good.ok()) {
    return {grpc::StatusCode::INVALID_ARGUMENT, std::string(good.message())};
  }
  const telemetry::Leader leader = commands_.leader_tracker_.Current();
  if (leader.self) return commands_.dispatcher_.Join(hello, own_, this);
  if (own_ || relayed_ || leader.stub == nullptr || commands_.shutdown_) {
    return {grpc::StatusCode::UNAVAILABLE, "this branch does not lead now: connect again"};
  }
  relay_ = std::make_shared<AgentRelay>(commands_, shared_from_this());
  relay_->Start(*leader.stub);
  relay_->Send(std::move(response_));
  return grpc::Status::OK;
}

void BankCommands::AgentCall::ReadNext() {
  if (ended_ || reading_ || (relay_ != nullptr && relay_->queued() > kRelayedMax)) return;
  reading_ = true;
  response_.Clear();
  StartRead(&response_);
}

void BankCommands::AgentCall::OnRelayRoom() { ReadNext(); }

void BankCommands::AgentCall::OnRelayEnded(const grpc::Status& status) {
  const auto kept = std::exchange(relay_, nullptr);  // End() has nothing to cancel
  // Refusals of the leader go through; everything else is "connect again".
  const bool refused = status.error_code() == grpc::StatusCode::INVALID_ARGUMENT ||
                       status.error_code() == grpc::StatusCode::FAILED_PRECONDITION ||
                       status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED ||
                       status.error_code() == grpc::StatusCode::ABORTED;
  End(refused ? status
              : grpc::Status(grpc::StatusCode::UNAVAILABLE,
                             "the connection to the leader ended: connect again"));
}

void BankCommands::AgentCall::WriteNext() {
  if (ended_ || writing_ || queue_.empty()) return;
  writing_ = true;
  StartWrite(&queue_.front());
}

void BankCommands::AgentCall::OnWriteDone(bool ok) {
  commands_.task_queue_.Post([this, self = shared_from_this(), ok] {
    writing_ = false;
    if (ended_) return Finish(status_);
    if (!ok) return End(grpc::Status::CANCELLED);
    queue_.pop_front();
    WriteNext();
  });
}

void BankCommands::AgentCall::OnDone() {
  commands_.task_queue_.Post([self = std::move(self_)] { self->ended_ = true; });
}

void BankCommands::AgentRelay::Start(v1::Monitor::Stub& stub) {
  self_ = shared_from_this();
  commands_.Begin(this);
  context_.AddMetadata(kRelayMetadata, commands_.options_.agent);
  stub.async()->CommandStream(&context_, this);
  AddHold();
  StartRead(&request_);
  StartCall();
}

void BankCommands::AgentRelay::Send(v1::CommandResponse response) {
  if (ended_) return;
  queue_.push_back(std::move(response));
  WriteNext();
}

void BankCommands::AgentRelay::Cancel() {
  if (std::exchange(ended_, true)) return;
  context_.TryCancel();
  RemoveHold();
}

void BankCommands::AgentRelay::WriteNext() {
  if (writing_ || queue_.empty()) return;
  writing_ = true;
  StartWrite(&queue_.front());
}

void BankCommands::AgentRelay::OnReadDone(bool ok) {
  commands_.task_queue_.Post([this, self = shared_from_this(), ok] {
    if (!ok || ended_) return Cancel();
    agent_->Send(std::move(request_));
    request_.Clear();
    StartRead(&request_);
  });
}

void BankCommands::AgentRelay::OnWriteDone(bool ok) {
  commands_.task_queue_.Post([this, self = shared_from_this(), ok] {
    writing_ = false;
    if (!ok || ended_) return Cancel();
    queue_.pop_front();
    WriteNext();
    agent_->OnRelayRoom();
  });
}

void BankCommands::AgentRelay::OnDone(const grpc::Status& status) {
  BankCommands& commands = commands_;
  commands.task_queue_.Post([self = std::move(self_), status] {
    self->commands_.End(self.get());
    std::exchange(self->agent_, nullptr)->OnRelayEnded(status);
  });
  commands.wait_group_.Remove();
}

}  // namespace bank::remote_command
