#include "branch/node/commands.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <optional>
#include <set>
#include <utility>

#include "branch/telemetry/stream/convert.h"
#include "branch/telemetry/stream/telemetry_sync.h"
#include "net/channel.h"

namespace bank::node {
namespace {

// Of what ran here before the last restart, so many records are shown to the other branches again.
constexpr size_t kShownAgainMax = 1'000;
// After the start: by then this branch has learned from the leader what the bank still knows.
constexpr int64_t kPastNs = 3'000'000'000;

absl::StatusOr<std::shared_ptr<v1::Monitor::Stub>> Dial(const std::string& address,
                                                        const net::TlsFiles& tls) {
  auto channel = net::MakeChannel(address, tls, net::ChannelKind::kPeer, net::Connection::kOwn);
  if (!channel.ok()) return channel.status();
  return std::shared_ptr<v1::Monitor::Stub>(v1::Monitor::NewStub(*channel));
}

std::string TextOf(const telemetry::AuditRecord& record) {
  std::string text = fmt::format("{}: {}", record.agent, record.command);
  if (record.ended_unix_ns == 0) return text + " begins";
  text += fmt::format(": {}", remote_command::OutcomeName(record.outcome));
  if (!record.message.empty()) text += fmt::format(": {}", record.message);
  return text;
}

}  // namespace

Commands::Commands(CommandsOptions options, storage::FileSystem& files, const Clock& clock,
                   telemetry::MetricStore& store, telemetry::Journal& journal,
                   telemetry::LeaderTracker& leader_tracker, net::TaskQueue& task_queue)
    : options_(std::move(options)),
      store_(store),
      journal_(journal),
      leader_tracker_(leader_tracker),
      task_queue_(task_queue) {
  std::vector<std::string> notes;
  log_ = std::make_unique<remote_command::CommandLog>(files, options_.folder,
                                                      remote_command::CommandLogOptions(), &notes);
  for (const std::string& note : notes) spdlog::warn("{}", note);
  past_ = log_->Newest(kShownAgainMax);
  const std::string& name = journal_.self()->name;
  const auto audit = [this](const telemetry::AuditRecord& record) { Audit(record); };
  remote_command::ProgramTable programs = options_.diagnostics;
  programs.insert(remote_command::HostPrograms().begin(), remote_command::HostPrograms().end());
  runner_ = std::make_unique<remote_command::Runner>(
      remote_command::Runner::Options{
          .agent = name,
          .execute = remote_command::BranchExecutor(options_.actions, std::move(programs)),
          .unix_now_ns = options_.unix_now_ns,
          .audit = audit},
      *log_, clock);
  dispatcher_ = std::make_unique<remote_command::CommandDispatcher>(
      remote_command::CommandDispatcher::Options{
          .branches =
              [this] {
                std::vector<std::string> names;
                for (const BranchId id : options_.members()) {
                  names.push_back(fmt::format("branch-{}", id.value));
                }
                return names;
              },
          .unix_now_ns = options_.unix_now_ns,
          .background =
              [this](std::function<void()> work) { runner_->Background(std::move(work)); },
          .audit = audit,
          .find_record = [this](const std::string& id,
                                const std::string& agent) -> std::optional<telemetry::AuditRecord> {
            for (telemetry::AuditRecord& record : store_.Audits(SIZE_MAX)) {
              if (record.id == id && record.agent == agent) return std::move(record);
            }
            return std::nullopt;
          }},
      *log_, task_queue_);
  const std::string bank = telemetry::BankValue(options_.bank);
  calls_ = std::make_unique<remote_command::BankCommands>(
      remote_command::BankCommands::Options{
          .agent = name, .bank_number = bank, .unix_now_ns = options_.unix_now_ns},
      *dispatcher_, *runner_, store_, leader_tracker_, task_queue_);

  v1::Agent self;
  telemetry::ToWire(*journal_.self(), &self);
  to_leader_ = std::make_unique<remote_command::CommandLink>(
      remote_command::CommandLink::Options{
          .self = self, .metadata = {{telemetry::kBankKey, bank}}, .issuer_prefix = ""},
      *runner_, task_queue_);
  leader_tracker_.Watch([this](const telemetry::Leader& leader) {
    to_leader_->SetServer(leader.self ? self_stub_ : leader.stub);
  });
  if (options_.monitor.empty()) return;
  to_foreign_ = std::make_unique<remote_command::CommandLink>(
      remote_command::CommandLink::Options{
          .self = self,
          .metadata = {},
          .issuer_prefix = fmt::format("server {}: ", options_.monitor)},
      *runner_, task_queue_);
}

void Commands::Audit(const telemetry::AuditRecord& record) {
  spdlog::info("command {} of {} at {}", record.id, record.issuer, TextOf(record));
  journal_.NoteCommand(TextOf(record), record);
}

absl::Status Commands::Start(const std::string& address) {
  auto self = Dial(address, options_.tls);
  if (!self.ok()) return self.status();
  task_queue_.Post([this, stub = *std::move(self)] {
    self_stub_ = stub;
    if (leader_tracker_.Current().self) to_leader_->SetServer(self_stub_);
  });
  if (to_foreign_ != nullptr) {
    auto foreign = Dial(options_.monitor, options_.tls);
    if (!foreign.ok()) return foreign.status();
    task_queue_.Post([this, stub = *std::move(foreign)] { to_foreign_->SetServer(stub); });
  }
  task_queue_.PostAt(task_queue_.clock().NowNs() + kPastNs, [this] { ShowPast(); });
  return absl::OkStatus();
}

void Commands::ShowPast() {
  std::set<std::pair<std::string, std::string>> known;
  for (const telemetry::AuditRecord& record : store_.Audits(SIZE_MAX)) {
    known.emplace(record.id, record.agent);
  }
  for (const telemetry::AuditRecord& record : past_) {
    if (!known.contains({record.id, record.agent})) {
      journal_.NoteCommand(TextOf(record), record);
    }
  }
  past_.clear();
}

void Commands::Stop() {
  to_leader_->Stop();
  if (to_foreign_ != nullptr) to_foreign_->Stop();
  runner_->Stop();
  calls_->Shutdown();
}

}  // namespace bank::node
