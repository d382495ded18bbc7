// customer replay INPUT: one customer process per customer entry of the input, in the order asked
// for. With --entry K it is one of these customers.
#include <sys/prctl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <csignal>

#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "common/clock.h"
#include "common/exit_code.h"
#include "common/flags.h"
#include "common/output_file.h"
#include "customer/client/bank_client.h"
#include "customer/commands/commands.h"
#include "customer/history/merge.h"
#include "customer/history/recorder.h"
#include "customer/replay/conductor.h"
#include "customer/replay/files.h"
#include "customer/replay/performer.h"

namespace bank::customer {
namespace {

using replay::Order;
using replay::Report;

const std::map<std::string, Order> kOrders = {{"sequential", Order::kSequential},
                                              {"converged", Order::kConverged},
                                              {"concurrent", Order::kConcurrent}};
constexpr uint64_t kDefaultPortBase = 50050;

class Replay final : public Command {
 public:
  explicit Replay(CLI::App& program)
      : Command(program, "replay", "replay an input: one process per customer entry") {
    app_->add_option("INPUT", input_, "an input of the exercise")->required();
    order_given_ =
        AddChoice(*app_, "--order", kOrders, order_, "sequential, converged or concurrent");
    output_given_ = OfOneCall(
        app_->add_option("--output", output_, "where the answers go, in the exercise's format"));
    history_given_ = OfOneCall(
        app_->add_option("--history", history_, "where the history goes (docs/HISTORY.md)"));
    OfOneCall(app_->add_option("--entry", entry_,
                               "only the customer entry of this number, from 1, in this process")
                  ->check(CLI::Range(size_t{1}, size_t{UINT32_MAX})));
    app_->add_option("--ready-timeout", ready_timeout_s_, "seconds for the branches to serve")
        ->check(CLI::Range(0.001, 86'400.0))
        ->capture_default_str();
    app_->add_flag("--conducted", conducted_,
                   "speak with a conductor over standard input and output")
        ->group("");
    AddFreshnessFlag(*app_, freshness_);
    AddFormatFlag(*app_, json_);
    bank_.AddTo(*app_);
  }

  int Run() override {
    auto text = replay::ReadInput(input_);
    if (!text.ok()) return Complain(kExitBadInput, std::string(text.status().message()));
    auto parsed = script::ParseScript(input_, *text);
    if (!parsed.ok()) return Complain(kExitBadInput, std::string(parsed.status().message()));
    script_ = *std::move(parsed);
    if (entry_ > script_.entries.size()) {
      return Complain(kExitUsage, fmt::format("--entry {}: {} has {} customer entries", entry_,
                                              input_, script_.entries.size()));
    }
    if (entry_ > 0 && !conducted_ && order_given_->count() > 0) {
      return Complain(kExitUsage, "--order is of all entries, and --entry is one");
    }
    absl::Status status = CompleteAddresses();
    if (status.ok()) status = FindOutputs();
    if (!status.ok()) return Complain(kExitUsage, std::string(status.message()));
    return entry_ > 0 ? RunEntry() : RunAll();
  }

 private:
  // Without --at, branch i is at port 50050 + i of this machine.
  absl::Status CompleteAddresses() {
    if (bank_.at_given->count() == 0) {
      for (BranchId branch : script_.branches) {
        bank_.at += fmt::format("{}{}=localhost:{}", bank_.at.empty() ? "" : ",", branch.value,
                                kDefaultPortBase + branch.value);
      }
    }
    auto addresses = client::ParseAddresses(bank_.at);
    if (!addresses.ok()) {
      return absl::InvalidArgumentError("--at: " + std::string(addresses.status().message()));
    }
    std::set<BranchId> known;
    for (const auto& address : *addresses) known.insert(address.branch);
    for (const script::Entry& entry : script_.entries) {
      for (const script::Operation& operation : entry.operations) {
        if (known.contains(operation.branch)) continue;
        return absl::InvalidArgumentError(
            fmt::format("--at does not say where branch {} is", operation.branch.value));
      }
    }
    return absl::OkStatus();
  }

  // Before the first operation: nothing that is answered may be lost for the want of a place.
  absl::Status FindOutputs() {
    const std::vector<std::string> in_use = bank_.FilesInUse({input_});
    if (output_given_->count() > 0) {
      auto place = FindOutput(output_, in_use);
      if (!place.ok()) return Named("--output", place.status());
      output_place_ = *std::move(place);
    }
    if (history_given_->count() == 0) return absl::OkStatus();
    auto place = FindOutput(history_, bank_.FilesInUse({input_, output_}));
    if (!place.ok()) return Named("--history", place.status());
    history_place_ = *std::move(place);
    return absl::OkStatus();
  }

  static absl::Status Named(std::string_view flag, const absl::Status& status) {
    return absl::Status(status.code(), fmt::format("{}: {}", flag, std::string(status.message())));
  }

  history::Header MakeHeader() const {
    return {.initial = {{"shared", script_.balance}}, .processes = script_.entries.size()};
  }

  // --- One customer ------------------------------------------------------------------------------
  int RunEntry() {
    // A customer does not outlive its conductor.
    if (conducted_) ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    auto branches = bank_.Connect();
    if (!branches.ok()) {
      return Complain(ExitCodeOf(branches.status()), std::string(branches.status().message()));
    }
    SteadyClock clock;
    std::unique_ptr<history::Recorder> recorder;
    if (history_place_) {
      auto opened =
          history::Recorder::Open(*std::exchange(history_place_, {}), MakeHeader(), clock);
      if (!opened.ok()) return Complain(kExitUnavailable, std::string(opened.status().message()));
      recorder = *std::move(opened);
    }
    client::BankClient::Options options{.patience = bank_.patience(),
                                        .failover = !bank_.no_failover,
                                        .process = entry_,
                                        .recorder = recorder.get(),
                                        .seed = entry_};
    client::BankClient client(*std::move(branches), clock, options);
    const script::Entry& entry = script_.entries[entry_ - 1];
    const replay::PerformOptions perform{
        .barrier = conducted_ && order_ == Order::kConverged,
        .ready_ns_max = static_cast<int64_t>(ready_timeout_s_ * 1e9),
        .freshness = freshness_};
    script::EntryAnswers answers{.customer = entry.customer, .answers = {}};
    replay::Conductor conductor;
    if (conducted_) {
      conductor.tell = [&](const Report& report) {
        // What the conductor knows is in the history, even if this process is killed next.
        if (recorder != nullptr) recorder->Flush();
        std::cout << replay::FormatReport(report) << std::flush;
      };
      conductor.await_go = [] {
        std::string line;
        return static_cast<bool>(std::getline(std::cin, line));
      };
    } else {
      conductor.tell = [&](const Report& report) {
        if (report.type == Report::Type::kAnswer) {
          answers.answers.push_back(report.answer);
          Show(entry.customer, report.answer);
        } else if (report.type == Report::Type::kFailed) {
          Complain(report.exit_code, report.reason);
        }
      };
    }
    const int exit_code = replay::PerformEntry(entry, client, clock, perform, conductor);
    if (recorder != nullptr) {
      if (absl::Status status = recorder->Close(); !status.ok()) {
        return Complain(kExitUnavailable, std::string(status.message()));
      }
    }
    if (conducted_ || exit_code != kExitOk) return exit_code;
    return Deliver({answers});
  }

  // --- All of them -------------------------------------------------------------------------------
  int RunAll() {
    std::signal(SIGPIPE, SIG_IGN);  // a customer that is gone is noticed by the end of its output
    if (history_place_) {
      auto parts = replay::MakePartsFolder(*history_place_);
      if (!parts.ok()) return Complain(kExitUnavailable, std::string(parts.status().message()));
      parts_ = *std::move(parts);
    }
    replay::ConductOptions options;
    options.order = order_;
    options.command = [this](size_t number) { return EntryCommand(number); };
    options.show = [this](uint64_t customer, const script::Answer& answer) {
      Show(customer, answer);
    };
    const replay::ConductResult result = replay::Conduct(script_.entries, options);
    if (history_place_) {
      if (absl::Status status = MergeHistories(); !status.ok()) {
        return Complain(kExitUnavailable, fmt::format("{} (each customer's part is in {})",
                                                      std::string(status.message()), parts_));
      }
    }
    if (result.exit_code != kExitOk) return Complain(result.exit_code, result.reason);
    return Deliver(result.entries);
  }

  std::vector<std::string> EntryCommand(size_t number) const {
    const std::string order = order_ == Order::kConverged ? "converged" : "sequential";
    std::vector<std::string> command = {"/proc/self/exe",
                                        "replay",
                                        input_,
                                        "--conducted",
                                        "--entry",
                                        std::to_string(number + 1),
                                        "--order",
                                        order,
                                        "--at",
                                        bank_.at,
                                        "--consistency",
                                        std::string(FreshnessName(freshness_)),
                                        "--attempt-timeout",
                                        fmt::format("{}", bank_.attempt_timeout_s),
                                        "--operation-timeout",
                                        fmt::format("{}", bank_.operation_timeout_s),
                                        "--ready-timeout",
                                        fmt::format("{}", ready_timeout_s_)};
    auto add = [&](const char* flag, const std::string& value) {
      if (!value.empty()) command.insert(command.end(), {flag, value});
    };
    if (!parts_.empty()) add("--history", HistoryPart(number));
    add("--tls-cert", bank_.tls.certificate);
    add("--tls-key", bank_.tls.key);
    add("--tls-ca", bank_.tls.authority);
    if (bank_.no_failover) command.push_back("--no-failover");
    return command;
  }

  std::string HistoryPart(size_t number) const {
    return fmt::format("{}/entry-{}", parts_, number + 1);
  }

  // Joins what the customers recorded; those that were never started recorded nothing.
  absl::Status MergeHistories() {
    std::vector<std::string> parts;
    std::error_code error;
    for (size_t i = 0; i < script_.entries.size(); ++i) {
      if (std::filesystem::exists(HistoryPart(i), error)) parts.push_back(HistoryPart(i));
    }
    const absl::Status status =
        history::Merge(MakeHeader(), parts, *std::exchange(history_place_, {}));
    if (!status.ok()) return status;
    std::filesystem::remove_all(parts_, error);
    return absl::OkStatus();
  }

  // --- What people see ---------------------------------------------------------------------------
  void Show(uint64_t customer, const script::Answer& answer) const {
    if (!json_) std::cout << script::FormatReportLine(customer, answer) << std::endl;
  }

  int Deliver(const std::vector<script::EntryAnswers>& entries) {
    const std::string output = script::FormatOutput(entries);
    if (json_) std::cout << output << std::flush;
    if (!output_place_) return kExitOk;
    const absl::Status status = WriteOutput(*std::exchange(output_place_, {}), output);
    if (status.ok()) return kExitOk;
    return Complain(kExitUnavailable, std::string(status.message()));
  }

  std::string input_;
  Order order_ = Order::kSequential;
  const CLI::Option* order_given_ = nullptr;
  std::string output_;
  const CLI::Option* output_given_ = nullptr;
  std::optional<OutputPlace> output_place_;
  std::string history_;
  const CLI::Option* history_given_ = nullptr;
  std::optional<OutputPlace> history_place_;
  std::string parts_;  // the folder of the entries' histories
  size_t entry_ = 0;
  double ready_timeout_s_ = 30;
  bool conducted_ = false;
  bool json_ = false;
  history::Freshness freshness_ = history::Freshness::kLinearizable;
  BankFlags bank_;
  script::Script script_;
};

}  // namespace

std::unique_ptr<Command> MakeReplay(CLI::App& program) { return std::make_unique<Replay>(program); }

}  // namespace bank::customer
