// customer load: many customers at once, for benchmarks and fault tests.
#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "common/clock.h"
#include "common/exit_code.h"
#include "common/flags.h"
#include "common/output_file.h"
#include "customer/client/bank_client.h"
#include "customer/commands/commands.h"
#include "customer/load/engine.h"
#include "customer/load/worker.h"

namespace bank::customer {
namespace {

enum class Mode { kUnary, kStream };
const std::map<std::string, Mode> kModes = {{"unary", Mode::kUnary}, {"stream", Mode::kStream}};

std::atomic<bool> stop_requested = false;
static_assert(std::atomic<bool>::is_always_lock_free, "set by a signal handler");
void RequestStop(int) { stop_requested = true; }

class Load final : public Command {
 public:
  explicit Load(FlagSet& program)
      : Command(
            program, "load",
            "make load through all branches of --at; SIGTERM ends it like the end of its time") {
    AddChoice(flags_, "--mode", kModes, mode_, "a call per operation, or batches over streams");
    flags_
        .Add("--concurrency", concurrency_,
             "operations (stream: batches) under way at each branch, at most: as many as "
             "are answered well within --attempt-timeout")
        .Between(1U, 16'000U)
        .ShowDefault();
    flags_.Add("--connections", connections_, "connections to each branch, each with a session")
        .Between(1U, 256U)
        .ShowDefault();
    batch_given_ = flags_.Add("--batch", batch_, "stream: operations in a batch")
                       .Between(1U, 8192U)
                       .ShowDefault();
    seconds_given_ =
        flags_.Add("--seconds", seconds_, "how long (default 5, or until --operations)")
            .Between(0.01, 1e6);
    flags_.Add("--operations", operations_, "how many operations (default: no limit)")
        .Between(uint64_t{1}, uint64_t{1} << 60);
    const Flag accounts = flags_.Add("--accounts", accounts_, "how many accounts to open and use")
                              .Between(1U, 1'000'000U)
                              .ShowDefault();
    const Flag opening = flags_.Add("--opening-balance", opening_balance_, "of each of them")
                             .Between(int64_t{0}, int64_t{1} << 40)
                             .ShowDefault()
                             .OfOneCall();
    const Flag account = flags_.Add("--account", account_, "use this existing account instead")
                             .Check(WhyNotAccountName)
                             .Excludes(accounts)
                             .Excludes(opening)
                             .OfOneCall();
    Flag initial = flags_
                       .Add("--initial-balance", initial_balance_,
                            "with --account: its balance before the load, for the history")
                       .Needs(account)
                       .OfOneCall();
    flags_.Add("--mix", mix_, "weights: deposit=1,withdraw=1,query=2,transfer=0").ShowDefault();
    flags_.Add("--amount-max", amount_max_, "amounts are drawn from 1 to this")
        .Between(int64_t{1}, int64_t{1} << 40)
        .ShowDefault()
        .OfOneCall();
    flags_.Add("--seed", seed_, "of all random choices").ShowDefault();
    history_given_ =
        flags_.Add("--history", history_, "where the history goes (docs/HISTORY.md)").OfOneCall();
    initial.Needs(history_given_);
    AddFormatFlag(flags_, json_);
    bank_.at = "localhost:50051";
    bank_.AddTo(flags_);
  }

  int Run() override {
    const auto mix = load::ParseMix(mix_);
    if (!mix.ok()) return Complain(kExitUsage, "--mix: " + std::string(mix.status().message()));
    if (mode_ == Mode::kUnary && batch_given_.given()) {
      return Complain(kExitUsage, "--batch is of --mode stream");
    }
    std::optional<OutputPlace> history;
    if (history_given_.given()) {
      auto place = FindOutput(history_, bank_.FilesInUse({}));
      if (!place.ok()) {
        return Complain(kExitUsage,
                        fmt::format("--history: {}", std::string(place.status().message())));
      }
      history = *std::move(place);
    }
    std::signal(SIGPIPE, SIG_IGN);  // a history's reader that is gone ends the history alone
    if (absl::Status status = Prepare(std::move(history)); !status.ok()) {
      return Complain(ExitCodeOf(status), std::string(status.message()));
    }
    std::signal(SIGTERM, RequestStop);
    std::signal(SIGINT, RequestStop);
    load::Engine::Options options{
        .patience = bank_.patience(), .recorder = recorder_.get(), .seed = seed_};
    if (seconds_given_.given() || operations_ == UINT64_MAX) {
      options.duration_ns_max = static_cast<int64_t>(seconds_ * 1e9);
    }
    load::Engine engine(clock_, options, stop_requested);
    std::vector<std::unique_ptr<load::Worker>> workers = MakeWorkers(engine);
    auto begin = [&] {
      for (auto& worker : workers) worker->Begin();
    };
    if (account_.empty()) {
      load::Opening opening(names_, opening_balance_);
      const load::Tally opened = engine.Run(opening, begin);
      if (opened.results.size() != 1 || !opened.results.contains("ok")) {
        if (stop_requested) return kExitOk;
        return Complain(kExitUnavailable, "the accounts could not be opened: " + Results(opened));
      }
    }
    load::Mixed mixed(
        names_,
        {.mix = *mix, .operations_max = operations_, .amount_max = amount_max_, .seed = seed_});
    const load::Tally tally = engine.Run(mixed, begin);
    workers.clear();
    if (recorder_ != nullptr) {
      if (absl::Status status = recorder_->Close(); !status.ok()) {
        return Complain(kExitUnavailable, std::string(status.message()));
      }
    }
    Print(tally);
    if (tally.results.contains("unknown")) return kExitUnknown;
    const bool nothing = tally.results.size() == 1 && tally.results.contains("not_applied");
    return nothing ? Complain(kExitUnavailable, "no operation was answered") : kExitOk;
  }

 private:
  // Waits for the branches, connects, opens the sessions and the history.
  absl::Status Prepare(std::optional<OutputPlace> history) {
    const auto addresses = bank_.Addresses();
    if (!addresses.ok()) return addresses.status();
    auto shared = client::Connect(*addresses, bank_.tls);
    if (!shared.ok()) return shared.status();
    const client::BankClient::Options options{
        .patience = bank_.patience(), .failover = !bank_.no_failover, .seed = seed_};
    client::BankClient client(*std::move(shared), clock_, options);
    const int64_t deadline_ns = clock_.NowNs() + bank_.patience().operation_ns_max;
    for (const auto& address : *addresses) {
      absl::Status status = client.AwaitServing(address.branch, deadline_ns);
      if (!status.ok()) return status;
    }
    for (size_t i = 0; i < addresses->size() * connections_; ++i) {
      // Every worker reaches all branches over connections of its own.
      auto own = client::Connect(*addresses, bank_.tls, net::Connection::kOwn);
      if (!own.ok()) return own.status();
      branches_.push_back(*std::move(own));
      absl::Status status = client.OpenSession((*addresses)[i % addresses->size()].branch);
      if (!status.ok()) return status;
      if (i == 0) opened_at_ = client.opened_at();
      worker_options_.push_back({.process = i + 1,
                                 .session = client.session(),
                                 .window = client.window(),
                                 .first_branch = i % addresses->size(),
                                 .failover = !bank_.no_failover,
                                 .in_flight = Share(i / addresses->size()),
                                 .batch_size = mode_ == Mode::kStream ? batch_ : 1});
      if (worker_options_.back().batch_size >= client.window()) {
        return absl::InvalidArgumentError(
            fmt::format("--batch {}: the bank allows less than {}", batch_, client.window()));
      }
    }
    NameAccounts();
    if (!history) return absl::OkStatus();
    history::Header header{.processes = worker_options_.size()};
    if (initial_balance_ >= 0 && !account_.empty()) header.initial[account_] = initial_balance_;
    auto recorder = history::Recorder::Open(*std::move(history), header, clock_);
    if (recorder.ok()) recorder_ = *std::move(recorder);
    return recorder.status();
  }

  // The part of a branch's concurrency that its connection of this number gets.
  uint32_t Share(size_t connection) const {
    return concurrency_ / connections_ + (connection < concurrency_ % connections_ ? 1 : 0);
  }

  // New names for every run: a place in the order is used only once in a bank's life. Not the
  // session's number, which is nobody else's business: everybody may see the accounts.
  void NameAccounts() {
    if (!account_.empty()) {
      names_ = {account_};
      return;
    }
    for (uint32_t i = 1; i <= accounts_; ++i) {
      names_.push_back(fmt::format("load-{}-{}", opened_at_.value, i));
    }
  }

  std::vector<std::unique_ptr<load::Worker>> MakeWorkers(load::Engine& engine) {
    std::vector<std::unique_ptr<load::Worker>> workers;
    for (size_t i = 0; i < worker_options_.size(); ++i) {
      if (worker_options_[i].in_flight == 0) continue;
      workers.push_back(mode_ == Mode::kUnary
                            ? load::MakeUnaryWorker(branches_[i], engine, worker_options_[i])
                            : load::MakeStreamWorker(branches_[i], engine, worker_options_[i]));
    }
    return workers;
  }

  static std::string Results(const load::Tally& tally) {
    std::string line;
    for (const auto& [result, count] : tally.results) {
      line += fmt::format("{}{} {}", line.empty() ? "" : ", ", result, count);
    }
    return line.empty() ? "none answered" : line;
  }

  void Print(const load::Tally& tally) const {
    const double seconds = static_cast<double>(tally.elapsed_ns) / 1e9;
    const double rate = seconds > 0 ? static_cast<double>(tally.operations()) / seconds : 0;
    auto quantile_us = [&](double share) {
      return static_cast<double>(tally.QuantileNs(share)) / 1e3;
    };
    if (json_) {
      nlohmann::ordered_json json = {{"mode", mode_ == Mode::kUnary ? "unary" : "stream"},
                                     {"seconds", seconds},
                                     {"operations", tally.operations()},
                                     {"operations_per_second", rate},
                                     {"results", nlohmann::ordered_json::object()},
                                     {"retries", tally.retries},
                                     {"p50_us", quantile_us(0.5)},
                                     {"p99_us", quantile_us(0.99)},
                                     {"p999_us", quantile_us(0.999)},
                                     {"max_us", static_cast<double>(tally.latency_ns_max) / 1e3}};
      for (const auto& [result, count] : tally.results) json["results"][result] = count;
      std::cout << json.dump() << "\n";
      return;
    }
    fmt::print("operations {} in {:.2f} s: {:.0f}/s, {} retries\n", tally.operations(), seconds,
               rate, tally.retries);
    fmt::print("latency p50 {:.2f} ms  p99 {:.2f} ms  p99.9 {:.2f} ms  max {:.2f} ms\n",
               quantile_us(0.5) / 1e3, quantile_us(0.99) / 1e3, quantile_us(0.999) / 1e3,
               static_cast<double>(tally.latency_ns_max) / 1e6);
    for (const auto& [result, count] : tally.results) fmt::print("{:<20} {}\n", result, count);
  }

  Mode mode_ = Mode::kUnary;
  uint32_t concurrency_ = 64;
  uint32_t connections_ = 1;
  uint32_t batch_ = 100;
  double seconds_ = 5;
  uint64_t operations_ = UINT64_MAX;
  uint32_t accounts_ = 16;
  int64_t opening_balance_ = 1'000'000;
  std::string account_;
  int64_t initial_balance_ = -1;  // below 0: not given
  std::string mix_ = "deposit=1,withdraw=1,query=2,transfer=1";
  int64_t amount_max_ = 1;
  uint64_t seed_ = 1;
  std::string history_;
  Flag history_given_;
  Flag batch_given_;
  bool json_ = false;
  BankFlags bank_;
  Flag seconds_given_;

  SteadyClock clock_;
  std::vector<load::WorkerOptions> worker_options_;
  std::vector<std::vector<client::Branch>> branches_;  // one set of connections per worker
  Position opened_at_;                                 // the first session
  std::vector<std::string> names_;
  std::unique_ptr<history::Recorder> recorder_;
};

}  // namespace

std::unique_ptr<Command> MakeLoad(FlagSet& program) { return std::make_unique<Load>(program); }

}  // namespace bank::customer
