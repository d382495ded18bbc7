#include "branch/telemetry/stream/metric_push_call.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "branch/remote_command/catalog.h"
#include "branch/telemetry/stream/metric_relay.h"
#include "branch/telemetry/stream/telemetry_sync.h"

namespace bank::telemetry {
namespace {

using grpc::StatusCode;

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<StatusCode>(status.code()), std::string(status.message())};
}

std::string_view Metadata(const grpc::CallbackServerContext& context, const char* key) {
  const auto& all = context.client_metadata();
  const auto found = all.find(key);
  if (found == all.end()) return {};
  return {found->second.data(), found->second.size()};
}

int64_t UnixNowNs() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

MetricStreams::PushCall::PushCall(MetricStreams& streams, grpc::CallbackServerContext* context)
    : Call(streams, streams.pushes_), context_(*context) {
  Post([this] {
    if (Enter(streams_.options_.agents_max)) StartRead(&message_);
  });
}

void MetricStreams::PushCall::OnReadDone(bool ok) {
  Post([this, ok] { ok ? Take() : End(grpc::Status::OK); });
}

void MetricStreams::PushCall::OnCancel() {
  Post([this] {
    cancelled_ = true;
    End({StatusCode::CANCELLED, "the stream was broken off"});
  });
}

void MetricStreams::PushCall::OnDone() {
  Post([this] { delete this; });
}

void MetricStreams::PushCall::End(const grpc::Status& status) {
  if (!Leave()) return;
  if (relay_ != nullptr) std::exchange(relay_, nullptr)->Detach(status.ok() && !cancelled_);
  if (agent_ != nullptr && !relayed_) {
    const auto mine = streams_.by_agent_.find(agent_->name);
    if (mine != streams_.by_agent_.end() && mine->second == this) {
      streams_.by_agent_.erase(mine);
      // Those that are sent elsewhere live.
      if (status.error_message() != kNoLeader) streams_.store_.NoteBroken(agent_->name);
    }
  }
  Finish(status);
}

void MetricStreams::PushCall::OnLeader(const Leader& leader) {
  if (agent_ != nullptr && !leader.SameAs(leader_)) End({StatusCode::UNAVAILABLE, kNoLeader});
}

void MetricStreams::PushCall::PassMetadata(
    const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
  if (ended()) return;
  if (const auto last = metadata.find(kLastSequenceKey); last != metadata.end()) {
    context_.AddInitialMetadata(kLastSequenceKey,
                                std::string(last->second.data(), last->second.size()));
    StartSendInitialMetadata();
  }
}

void MetricStreams::PushCall::ReadOn() {
  if (!ended()) StartRead(&message_);
}

void MetricStreams::PushCall::RelayEnded(const grpc::Status& status) {
  relay_ = nullptr;
  // What the leader says of the agent itself stays; all else is "not now".
  const bool says = status.error_code() == StatusCode::INVALID_ARGUMENT ||
                    status.error_code() == StatusCode::FAILED_PRECONDITION ||
                    status.error_code() == StatusCode::ABORTED ||
                    status.error_code() == StatusCode::RESOURCE_EXHAUSTED;
  End(says ? status : grpc::Status(StatusCode::UNAVAILABLE, kNoLeader));
}

void MetricStreams::PushCall::Take() {
  if (ended()) return;
  if (agent_ == nullptr && !Begin()) return;
  if (relayed_) {
    if (relay_ != nullptr) relay_->Write(message_);
    return;  // ReadOn() follows
  }
  if (!streams_.store_.NoteAlive(agent_)) {
    return End({StatusCode::FAILED_PRECONDITION, "a later run of this agent is known"});
  }
  for (v1::MetricFrame& wire : *message_.mutable_frames()) {
    if (agent_->branch.value == 0) {
      event_limit_.Apply(&wire, streams_.task_queue_.clock().NowNs(), UnixNowNs());
    }
    auto batch = decoder_.Decode(agent_, wire);
    if (!batch.ok()) return End(ToGrpc(batch.status()));
    streams_.store_.AddBatch(*std::move(batch));
  }
  StartRead(&message_);
}

bool MetricStreams::PushCall::Begin() {
  if (!message_.has_hello()) {
    End({StatusCode::INVALID_ARGUMENT, "the first message has no hello"});
    return false;
  }
  auto agent = FromWire(message_.hello());
  if (!agent.ok()) {
    End(ToGrpc(agent.status()));
    return false;
  }
  const std::string_view bank = Metadata(context_, kBankKey);
  if (grpc::Status checked = CheckHello(**agent, bank); !checked.ok()) {
    End(checked);
    return false;
  }
  leader_ = streams_.leader_tracker_.Current();
  const bool may_relay = bank.empty() && Metadata(context_, kRelayedKey).empty();
  if (!leader_.self && (leader_.stub == nullptr || !may_relay)) {
    End({StatusCode::UNAVAILABLE, kNoLeader});
    return false;
  }
  relayed_ = !leader_.self;
  if (!relayed_ && !streams_.store_.NoteAlive(*agent)) {
    End({StatusCode::FAILED_PRECONDITION,
         "a later run of this agent is known, or there are too many agents"});
    return false;
  }
  agent_ = *std::move(agent);
  if (relayed_) {
    relay_ = new Relay(this, streams_.task_queue_, streams_.wait_group_, leader_);
  } else {
    Join();
  }
  return true;
}

grpc::Status MetricStreams::PushCall::CheckHello(const Agent& agent, std::string_view bank) const {
  const bool of_branch = agent.branch.value != 0 || remote_command::IsBranchName(agent.name);
  if (of_branch && bank != BankValue(streams_.options_.bank)) {
    return {StatusCode::PERMISSION_DENIED,
            fmt::format("agent '{}', branch {}: only a branch of this bank may speak in its name",
                        agent.name, agent.branch.value)};
  }
  return grpc::Status::OK;
}

// It is one of this leader's agents now; an earlier stream of it ends.
void MetricStreams::PushCall::Join() {
  PushCall* const earlier = std::exchange(streams_.by_agent_[agent_->name], this);
  if (earlier != nullptr) {
    earlier->End({StatusCode::ABORTED, "the agent has opened another stream"});
  }
  const StorePosition last = streams_.store_.LastOf(agent_->name);
  const uint64_t sequence = last.incarnation == agent_->incarnation ? last.sequence : 0;
  context_.AddInitialMetadata(kLastSequenceKey, std::to_string(sequence));
  StartSendInitialMetadata();
}

}  // namespace bank::telemetry
