#include "branch/remote_command/stream/bank_commands.h"

#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "branch/remote_command/stream/command_agent_call.h"
#include "branch/remote_command/stream/command_run_call.h"
#include "branch/remote_command/stream/convert.h"
#include "branch/telemetry/stream/convert.h"
#include "common/one_line.h"

namespace bank::remote_command {
namespace {

constexpr uint32_t kAuditsDefault = 100;
constexpr uint32_t kAuditsMax = 10'000;
constexpr std::chrono::seconds kCancelMax{5};

// A call that is answered at once.
template <class Message>
class Refused final : public grpc::ServerWriteReactor<Message> {
 public:
  explicit Refused(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

absl::Status CheckRequest(const v1::RunCommandRequest& request) {
  if (absl::Status good = CheckId(request.id()); !good.ok()) return good;
  for (const std::string& agent : request.agent()) {
    if (absl::Status good = CheckAgentName(agent); !good.ok()) return good;
  }
  if (request.deadline_ms() != 0) {
    if (absl::Status good = CheckDeadline(request.deadline_ms()); !good.ok()) return good;
  }
  return Check(FromWire(request.command()));
}

bool IsRelayed(const grpc::CallbackServerContext& call) {
  return call.client_metadata().contains(kRelayMetadata);
}

}  // namespace

// The answer is complete before the first write.
class BankCommands::AuditCall final : public grpc::ServerWriteReactor<v1::AuditRecord> {
 public:
  explicit AuditCall(std::vector<telemetry::AuditRecord> records) : records_(std::move(records)) {
    WriteNext();
  }
  void OnWriteDone(bool ok) override { ok ? WriteNext() : Finish(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }

 private:
  void WriteNext() {
    if (next_ == records_.size()) return Finish(grpc::Status::OK);
    wire_.Clear();
    telemetry::ToWire(records_[next_++], &wire_);
    StartWrite(&wire_);
  }

  const std::vector<telemetry::AuditRecord> records_;
  size_t next_ = 0;
  v1::AuditRecord wire_;
};

BankCommands::BankCommands(Options options, CommandDispatcher& leader, Runner& runner,
                           const telemetry::MetricStore& store,
                           telemetry::LeaderTracker& leader_tracker, net::TaskQueue& task_queue)
    : options_(std::move(options)),
      dispatcher_(leader),
      runner_(runner),
      store_(store),
      leader_tracker_(leader_tracker),
      task_queue_(task_queue) {
  leader_tracker_.Watch([this](const telemetry::Leader& now) { OnLeader(now); });
}

void BankCommands::OnLeader(const telemetry::Leader& leader) {
  for (Relay* relay : relays_) relay->Cancel();
  // A branch that leads again in another term begins anew: it may not have led in between.
  dispatcher_.SetLeading(false);
  dispatcher_.SetLeading(leader.self && !shutdown_);
}

void BankCommands::Begin(Relay* relay) {
  wait_group_.Add();
  relays_.insert(relay);
}

void BankCommands::End(Relay* relay) { relays_.erase(relay); }

void BankCommands::Shutdown() {
  absl::Notification told;
  task_queue_.Post([this, &told] {
    shutdown_ = true;
    for (Relay* relay : relays_) relay->Cancel();
    dispatcher_.SetLeading(false);
    told.Notify();
  });
  told.WaitForNotification();
  wait_group_.AwaitNone();
}

std::string BankCommands::IssuerOf(const grpc::CallbackServerContext& call,
                                   const std::string& said) const {
  const auto auth = call.auth_context();
  std::string subject;
  if (auth != nullptr && auth->IsPeerAuthenticated()) {
    for (const grpc::string_ref& name : auth->FindPropertyValues("x509_common_name")) {
      subject.assign(name.data(), name.size());
    }
  }
  subject = OneLine(subject, kIssuerBytesMax / 4);
  if (IsRelayed(call)) {
    const std::string asked = OneLine(said, kIssuerBytesMax);
    return subject.empty() ? asked : fmt::format("{} via {}", asked, subject);
  }
  const std::string name = OneLine(said, kIssuerBytesMax / 2);
  if (subject.empty()) return fmt::format("{} ({})", name.empty() ? "?" : name, call.peer());
  if (name.empty() || name == subject) return subject;
  return fmt::format("{} (says {})", subject, name);
}

grpc::ServerBidiReactor<v1::CommandResponse, v1::CommandRequest>* BankCommands::CommandStream(
    grpc::CallbackServerContext* call) {
  auto reactor = std::make_shared<AgentCall>(*this, call);
  reactor->Start();
  return reactor.get();  // lives until gRPC has let go
}

void BankCommands::RecordRefusal(const v1::RunCommandRequest& request, const std::string& why) {
  telemetry::AuditRecord record;
  record.id = request.id();
  if (request.agent().empty()) record.agent = "all";
  if (request.agent_size() == 1) record.agent = Quote(request.agent(0));
  if (request.agent_size() > 1) record.agent = fmt::format("{} agents", request.agent_size());
  record.issuer = request.issuer();
  record.command = Text(FromWire(request.command()));
  record.issued_unix_ns = options_.unix_now_ns();
  record.message = why;
  runner_.RecordRefusal(std::move(record));
}

grpc::ServerWriteReactor<v1::CommandUpdate>* BankCommands::RunCommand(
    grpc::CallbackServerContext* call, const v1::RunCommandRequest* request) {
  v1::RunCommandRequest checked = *request;
  checked.set_issuer(IssuerOf(*call, request->issuer()));
  if (absl::Status good = CheckRequest(checked); !good.ok()) {
    const std::string why(good.message());
    RecordRefusal(checked, why);
    return new Refused<v1::CommandUpdate>({grpc::StatusCode::INVALID_ARGUMENT, why});
  }
  if (checked.deadline_ms() == 0) checked.set_deadline_ms(kDeadlineMsDefault);
  auto reactor = std::make_shared<RunCall>(*this, std::move(checked), IsRelayed(*call));
  reactor->Start();
  return reactor.get();
}

grpc::ServerUnaryReactor* BankCommands::CancelCommand(grpc::CallbackServerContext* call,
                                                      const v1::CancelCommandRequest* request,
                                                      v1::CancelCommandReply* reply) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  if (absl::Status good = CheckId(request->id()); !good.ok()) {
    reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, std::string(good.message())});
    return reactor;
  }
  const std::string issuer = IssuerOf(*call, request->issuer());
  const bool relayed = IsRelayed(*call);
  task_queue_.Post([this, reactor, request, reply, issuer, relayed] {
    const telemetry::Leader leader = leader_tracker_.Current();
    if (leader.self) {
      reply->set_agents(dispatcher_.Cancel(request->id(), issuer));
      return reactor->Finish(grpc::Status::OK);
    }
    if (relayed || leader.stub == nullptr || shutdown_) {
      return reactor->Finish({grpc::StatusCode::UNAVAILABLE, "nobody leads the bank now"});
    }
    struct Passing {
      grpc::ClientContext context;
      v1::CancelCommandRequest request;
    };
    auto passing = std::make_shared<Passing>();
    passing->context.AddMetadata(kRelayMetadata, options_.agent);
    passing->context.set_deadline(std::chrono::system_clock::now() + kCancelMax);
    passing->request.set_id(request->id());
    passing->request.set_issuer(issuer);
    wait_group_.Add();
    leader.stub->async()->CancelCommand(&passing->context, &passing->request, reply,
                                        [this, passing, reactor](grpc::Status status) {
                                          reactor->Finish(status);
                                          wait_group_.Remove();
                                        });
  });
  return reactor;
}

grpc::ServerWriteReactor<v1::AuditRecord>* BankCommands::ListAudit(
    grpc::CallbackServerContext*, const v1::ListAuditRequest* request) {
  const uint32_t limit = request->limit() == 0 ? kAuditsDefault : request->limit();
  if (limit > kAuditsMax) {
    return new Refused<v1::AuditRecord>(
        {grpc::StatusCode::INVALID_ARGUMENT,
         fmt::format("limit {} is not in 0..{}", request->limit(), kAuditsMax)});
  }
  return new AuditCall(store_.Audits(limit));
}

}  // namespace bank::remote_command
