#include "branch/node/branch.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <map>
#include <memory>
#include <utility>

#include "branch/node/http_port.h"
#include "branch/node/lamport_order.h"
#include "branch/node/raft_order.h"
#include "net/taken.h"

namespace bank::node {
namespace {

// Unary calls and operations of batches that may be in the bank at a time; more are refused with
// ABORTED. The replicator has a bound in bytes of its own.
constexpr int64_t kOperationsOpenMax = 500'000;

constexpr std::chrono::milliseconds kDrainMax{1000};
constexpr size_t kStandbyHistoryBytesMax = size_t{16} << 20;

// The address with the port that was got for it, which is another one if port 0 was asked for.
std::string WithPort(const std::string& address, int port) {
  if (address.starts_with("unix:")) return address;
  return fmt::format("{}:{}", address.substr(0, address.rfind(':')), port);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Branch>> Branch::Start(const Config& config,
                                                      replication::FatalHandler on_fatal) {
  auto branch = std::unique_ptr<Branch>(new Branch(config));
  if (absl::Status opened = branch->Open(std::move(on_fatal)); !opened.ok()) return opened;
  if (absl::Status listening = branch->Listen(); !listening.ok()) return listening;
  if (absl::Status running = branch->Run(); !running.ok()) return running;
  return branch;
}

absl::Status Branch::Open(replication::FatalHandler on_fatal) {
  // Whatever can be refused is refused before the disk is touched.
  if (auto own = net::MakeServerCredentials(config_.listen, config_.tls); !own.ok()) {
    return own.status();
  }
  peers::PeersOptions peers_options{.bank = BankNumber(config_.driver.initial_members,
                                                       config_.initial_balance, config_.replicator),
                                    .self = config_.self,
                                    .addresses = {},
                                    .tls = config_.tls};
  for (const replication::Member& member : config_.driver.initial_members) {
    if (member.id == config_.self) continue;
    const auto elsewhere = config_.dial.find(member.id);
    const std::string& address =
        elsewhere == config_.dial.end() ? member.address : elsewhere->second;
    if (auto dial = net::MakeChannelCredentials(address, config_.tls); !dial.ok()) {
      return dial.status();
    }
    peers_options.addresses.emplace(member.id, address);
  }
  for (const std::string* address : {&config_.listen, &config_.http}) {
    if (address->empty()) continue;
    if (absl::Status free = net::CheckNotTaken(*address); !free.ok()) return free;
  }

  if (config_.replicator == ReplicatorKind::kLamport) {
    order_ = std::make_unique<LamportOrder>(config_, peers_options, clock_);
  } else {
    auto order = RaftOrder::Open(config_, peers_options, clock_, std::move(on_fatal));
    if (!order.ok()) return order.status();
    order_ = *std::move(order);
  }
  MonitoringOptions monitoring{.bank = peers_options.bank,
                               .self = config_.self,
                               .addresses = peers_options.addresses,
                               .tls = config_.tls,
                               .sampling_interval_ms = config_.sampling_interval_ms,
                               .history_bytes_max = HistoryBytesMax(),
                               .monitor = config_.monitor};
  monitoring_ = std::make_unique<Monitoring>(
      monitoring, clock_, [this] { return order_->replicator().GetStatus(); },
      [this] { return ReadMetrics(); });
  commands_ = std::make_unique<Commands>(MakeCommandsOptions(peers_options.bank), files_, clock_,
                                         monitoring_->store(), monitoring_->journal(),
                                         monitoring_->leader_tracker(), monitoring_->task_queue());
  order_->Observe([this](const auto& status) { monitoring_->OnStatus(status); });
  return absl::OkStatus();
}

// A branch that votes may become the leader, and holds the hour for all. In a bank so large that
// others do not vote, those hold less: all of them may run on one machine.
size_t Branch::HistoryBytesMax() const {
  for (const replication::Member& member : config_.driver.initial_members) {
    if (member.id == config_.self && member.voter) return telemetry::MetricStoreOptions().bytes_max;
  }
  return kStandbyHistoryBytesMax;
}

CommandsOptions Branch::MakeCommandsOptions(uint64_t bank) {
  CommandsOptions options;
  options.folder = config_.data + "/commands";
  options.monitor = config_.monitor;
  options.tls = config_.tls;
  options.bank = bank;
  options.members = [this] {
    std::vector<BranchId> ids;
    for (const replication::Member& member : config_.driver.initial_members)
      ids.push_back(member.id);
    return ids;
  };
  options.unix_now_ns = [] {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  };
  options.diagnostics = config_.diagnostics;
  remote_command::BranchActions& actions = options.actions;
  actions.set_sampling_interval = [this](uint32_t milliseconds) {
    return monitoring_->sampler().SetInterval(milliseconds);
  };
  actions.set_collector = [this](const std::string& collector, bool enabled) {
    return monitoring_->sampler().SetCollector(
        collector, enabled ? telemetry::Sampler::Switch::kOn : telemetry::Sampler::Switch::kOff);
  };
  actions.set_log_level = [](const std::string& level) {
    spdlog::set_level(spdlog::level::from_str(level));
    return absl::OkStatus();
  };
  actions.replicator = &order_->replicator();
  actions.admin = &order_->admin();
  return options;
}

std::string Branch::listen_address() const { return WithPort(config_.listen, port()); }

// Where this branch reaches itself: where it listens, or, if that is every address of the host,
// where the others reach it.
std::string Branch::OwnAddress() const {
  const auto host = net::HostOf(config_.listen);
  if (host.ok() && *host != "0.0.0.0" && *host != "::") return listen_address();
  for (const replication::Member& member : config_.driver.initial_members) {
    if (member.id == config_.self) return member.address;
  }
  return config_.listen;
}

absl::Status Branch::Listen() {
  inflight_limit_ =
      std::make_unique<rpc::InflightLimit>(kOperationsOpenMax, rpc::InflightLimit::Door::kClosed);
  teller_ = std::make_unique<teller::Teller>(
      teller::TellerOptions{.session_window_max = config_.driver.ledger_limits.session_window_max},
      order_->replicator(), clock_, entropy_);
  openings_ =
      std::make_unique<rpc::Openings>(rpc::Openings::Options{}, config_.self, clock_, entropy_);
  const rpc::ServiceContext service{.teller = *teller_,
                                    .inflight_limit = *inflight_limit_,
                                    .clock = clock_,
                                    .branch = config_.self,
                                    .metrics = operation_metrics_,
                                    .openings = *openings_,
                                    .connection_tracker = &monitoring_->connection_tracker()};
  customer_service_ = std::make_unique<rpc::CustomerService>(service);
  exercise_service_ = std::make_unique<rpc::ExerciseService>(service);
  admin_service_ = std::make_unique<rpc::AdminService>(
      config_.self, config_.driver.initial_members, order_->replicator(), order_->admin(), clock_);
  monitor_service_ = std::make_unique<MonitorService>(monitoring_->streams(), commands_->calls());
  std::vector<grpc::Service*> services = {customer_service_.get(), exercise_service_.get(),
                                          admin_service_.get(), monitor_service_.get()};
  for (grpc::Service* service_of_order : order_->services()) services.push_back(service_of_order);
  auto server = rpc::Server::Start({.listen = config_.listen, .tls = config_.tls}, services);
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  spdlog::info("listens on {}, {} members", listen_address(),
               config_.driver.initial_members.size());
  if (config_.http.empty()) return absl::OkStatus();
  auto console = StartHttp({.config = config_,
                            .order = *order_,
                            .store = monitoring_->store(),
                            .self = monitoring_->self(),
                            .metrics = [this] { return ReadMetrics(); },
                            .serves = [this] { return serves_.load(); },
                            .clock = clock_});
  if (!console.ok()) return console.status();
  console_ = *std::move(console);
  spdlog::info("the console is at http{}://{}/", console_->secure() ? "s" : "",
               WithPort(config_.http, console_->port()));
  return absl::OkStatus();
}

absl::Status Branch::Run() {
  if (absl::Status started = order_->Start(); !started.ok()) return started;
  if (absl::Status started = monitoring_->Start(); !started.ok()) return started;
  if (absl::Status started = commands_->Start(OwnAddress()); !started.ok()) return started;
  inflight_limit_->Open();
  const Readiness::Options readiness{
      .initial_balance = config_.initial_balance,
      .patience = 2 * std::chrono::milliseconds(config_.driver.election_timeout_ms)};
  readiness_ =
      std::make_unique<Readiness>(order_->replicator(), clock_, readiness, [this](bool serves) {
        server_->SetServing(serves);
        monitoring_->NoteReady(serves);
        serves_ = serves;
        if (serves) {
          spdlog::info("ready: serves customers");
        } else {
          spdlog::warn("not ready: reaches no quorum of the branches");
        }
      });
  return absl::OkStatus();
}

telemetry::ProcessMetrics Branch::ReadMetrics() const {
  telemetry::ProcessMetrics metrics = telemetry::ReadProcessMetrics(
      operation_metrics_, order_->metrics(), inflight_limit_->open(), clock_);
  metrics.own_key_conflicts = teller_->own_key_conflicts();
  return metrics;
}

void Branch::Stop() {
  if (std::exchange(stopped_, true)) return;
  if (server_ != nullptr) {
    server_->EndServing();
    inflight_limit_->Close();
    order_->HandOver();
    if (!inflight_limit_->AwaitEmpty(kDrainMax)) {
      spdlog::warn("{} operations are still open; their outcome is unknown to their customers",
                   inflight_limit_->open());
    }
  }
  if (console_ != nullptr) console_->Stop();
  if (order_ != nullptr) order_->Stop();
  if (readiness_ != nullptr) readiness_->Stop();
  if (order_ != nullptr) order_->EndService();
  if (monitoring_ != nullptr) monitoring_->EndStreams();
  if (server_ != nullptr) server_->Shutdown(std::chrono::milliseconds(0));
  if (commands_ != nullptr) commands_->Stop();
  if (monitoring_ != nullptr) monitoring_->Stop();
  if (order_ != nullptr) order_->EndPeers();
}

}  // namespace bank::node
