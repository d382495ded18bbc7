// customer replay INPUT: customer processes perform the customer entries of the input, in the order
// asked for. With --entry K it performs that one alone. What is written depends on the course's
// project to which the input belongs.
#include <sys/prctl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <csignal>

#include <algorithm>
#include <array>
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
#include "common/whole_file.h"
#include "customer/client/bank_client.h"
#include "customer/commands/commands.h"
#include "customer/history/merge.h"
#include "customer/history/recorder.h"
#include "customer/replay/clocks.h"
#include "customer/replay/coordinator.h"
#include "customer/replay/files.h"
#include "customer/replay/performer.h"
#include "customer/replay/worker.h"
#include "customer/script/logical_clocks.h"

namespace bank::customer {
namespace {

using replay::Order;
using replay::Report;
using script::Project;

const std::map<std::string, Order> kOrders = {{"sequential", Order::kSequential},
                                              {"converged", Order::kConverged},
                                              {"concurrent", Order::kConcurrent}};
constexpr uint64_t kDefaultPortBase = 50050;

class Replay final : public Command {
 public:
  explicit Replay(FlagSet& program)
      : Command(program, "replay", "replay an input: one process per customer entry") {
    flags_.Add("INPUT", input_, "an input of the exercise").Required();
    order_given_ =
        AddChoice(flags_, "--order", kOrders, order_, "sequential, converged or concurrent");
    project_given_ = flags_.Add("--project", project_, "1, 2 or 3; else what the input's form says")
                         .Between(1, 3)
                         .OfOneCall();
    form_given_ = AddChoice(flags_, "--form", kForms, form_,
                            "of the answers of projects 2 and 3: now, or as it was in 2021");
    files_given_ = AddChoice(flags_, "--files", kFiles, files_,
                             "project 2: one, or three: NAME.1.json, NAME.2.json, NAME.3.json");
    guarantees_given_ = AddChoice(
        flags_, "--guarantees", kGuarantees, guarantees_,
        "project 3: all, or none: then a customer reads what its branch has at the moment");
    output_given_ =
        flags_.Add("--output", output_, "where the answers go, in the exercise's format")
            .OfOneCall();
    history_given_ =
        flags_.Add("--history", history_, "where the history goes (docs/HISTORY.md)").OfOneCall();
    flags_.Add("--entry", entry_, "only the customer entry of this number, from 1, in this process")
        .Between(size_t{1}, size_t{UINT32_MAX})
        .OfOneCall();
    flags_.Add("--ready-timeout", ready_timeout_s_, "seconds for the branches to serve")
        .Between(0.001, 86'400.0)
        .ShowDefault();
    flags_
        .Add("--conducted", conducted_,
             "FIRST LAST: perform these as a conductor says, over standard input and output")
        .ExactlyValues(2)
        .Positive()
        .Group("");
    freshness_given_ = AddFreshnessFlag(flags_, freshness_);
    AddFormatFlag(flags_, json_);
    bank_.AddTo(flags_);
  }

  int Run() override {
    auto text = ReadWholeFile(input_);
    if (!text.ok()) return Complain(kExitBadInput, std::string(text.status().message()));
    auto parsed = script::ParseScript(input_, *text);
    if (!parsed.ok()) return Complain(kExitBadInput, std::string(parsed.status().message()));
    script_ = *std::move(parsed);
    for (size_t number : {entry_, conducted_.empty() ? 0 : conducted_.back()}) {
      if (number <= script_.entries.size()) continue;
      return Complain(kExitUsage, fmt::format("--entry {}: {} has {} customer entries", number,
                                              input_, script_.entries.size()));
    }
    if (entry_ > 0 && order_given_.given()) {
      return Complain(kExitUsage, "--order is of all entries, and --entry is one");
    }
    if (const int status = ChooseProject(); status != kExitOk) return status;
    absl::Status status = CompleteAddresses();
    if (status.ok()) status = FindOutputs();
    if (!status.ok()) return Complain(kExitUsage, std::string(status.message()));
    if (!conducted_.empty()) return RunConducted();
    return entry_ > 0 ? RunEntry() : RunAll();
  }

 private:
  enum class Form { kNow, k2021 };
  enum class Files { kOne, kThree };
  enum class Guarantees { kAll, kNone };
  static inline const std::map<std::string, Form> kForms = {{"now", Form::kNow},
                                                            {"2021", Form::k2021}};
  static inline const std::map<std::string, Files> kFiles = {{"one", Files::kOne},
                                                             {"three", Files::kThree}};
  static inline const std::map<std::string, Guarantees> kGuarantees = {{"all", Guarantees::kAll},
                                                                       {"none", Guarantees::kNone}};

  // What the project changes. The exit code; all has been said.
  int ChooseProject() {
    project_kind_ = static_cast<Project>(project_);
    if (!project_given_.given()) {
      auto project = script::RecognizeProject(input_, script_);
      if (!project.ok()) return Complain(kExitBadInput, std::string(project.status().message()));
      project_kind_ = *project;
    }
    if (const auto fits = script::CheckProject(input_, script_, project_kind_); !fits.ok()) {
      return Complain(kExitBadInput, std::string(fits.message()));
    }
    const bool clocks = project_kind_ == Project::kLogicalClocks;
    const bool sessions = project_kind_ == Project::kClientCentric;
    for (const auto& [flag, fits] : {std::pair(&form_given_, clocks || sessions),
                                     {&files_given_, clocks},
                                     {&guarantees_given_, sessions},
                                     {&freshness_given_, !clocks},
                                     {&order_given_, !clocks || !conducted_.empty()}}) {
      if (!flag->given() || fits) continue;
      return Complain(kExitUsage, fmt::format("{} has no effect on an input of {}", flag->name(),
                                              script::ProjectName(project_kind_)));
    }
    if (clocks) return PrepareClocks();
    if (sessions) {
      if (order_ == Order::kConverged) {
        return Complain(kExitUsage, "--order converged is of project 1");
      }
      if (!freshness_given_.given()) {
        freshness_ = guarantees_ == Guarantees::kAll ? history::Freshness::kAtLeast
                                                     : history::Freshness::kLocal;
      } else if (guarantees_given_.given()) {
        return Complain(kExitUsage, "--guarantees and --consistency say the same: give one");
      }
    }
    return kExitOk;
  }

  int PrepareClocks() {
    if (files_ == Files::kThree && form_ == Form::k2021) {
      return Complain(kExitUsage, "--files three is not of the form of 2021");
    }
    order_ = Order::kConcurrent;  // what the project is about
    // An attempt at another branch would be another event.
    bank_.no_failover = true;
    bank_.attempt_timeout_s = bank_.operation_timeout_s;
    return kExitOk;
  }

  // Without --at, branch i is at port 50050 + i of this machine.
  absl::Status CompleteAddresses() {
    if (!bank_.at_given.given()) {
      for (BranchId branch : script_.branches) {
        bank_.at += fmt::format("{}{}=localhost:{}", bank_.at.empty() ? "" : ",", branch.value,
                                kDefaultPortBase + branch.value);
      }
    }
    const auto addresses = bank_.Addresses();
    if (!addresses.ok()) return addresses.status();
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
    if (output_given_.given()) {
      auto place = FindOutput(output_, in_use);
      if (!place.ok()) return Named("--output", place.status());
      output_place_ = *std::move(place);
      for (size_t i = 1; files_ == Files::kThree && i <= 3; ++i) {
        auto part = FindOutput(PartName(i), in_use);
        if (!part.ok()) return Named("--output", part.status());
        part_places_.push_back(*std::move(part));
      }
    }
    if (!history_given_.given()) return absl::OkStatus();
    auto place = FindOutput(history_, bank_.FilesInUse({input_, output_}));
    if (!place.ok()) return Named("--history", place.status());
    history_place_ = *std::move(place);
    return absl::OkStatus();
  }

  // answers.json: answers.1.json
  std::string PartName(size_t part) const {
    const std::filesystem::path path(output_);
    return (path.parent_path() / path.stem()).string() + fmt::format(".{}", part) +
           path.extension().string();
  }

  static absl::Status Named(std::string_view flag, const absl::Status& status) {
    return absl::Status(status.code(), fmt::format("{}: {}", flag, std::string(status.message())));
  }

  history::Header MakeHeader() const {
    return {.initial = initial_, .processes = script_.entries.size()};
  }

  // Asks what the account holds before the run: a bank that stays up holds what earlier runs left,
  // whatever the input says. Without an answer, the history says nothing about it.
  void AskInitial() {
    auto branches = bank_.Connect();
    if (!branches.ok()) return;
    BranchId first = branches->front().id;
    for (const script::Entry& entry : script_.entries) {
      if (entry.operations.empty()) continue;
      first = entry.operations.front().branch;
      break;
    }
    client::BankClient client(*std::move(branches), clock_,
                              {.patience = bank_.patience(), .failover = !bank_.no_failover});
    const int64_t deadline_ns = clock_.NowNs() + static_cast<int64_t>(ready_timeout_s_ * 1e9);
    if (!client.AwaitServing(first, deadline_ns).ok()) return;
    const client::Answer answer = client.Perform({.op = history::Op::kQuery}, first);
    if (answer.success()) initial_ = {{"shared", answer.balance}};
  }

  // --- One customer, or some of them -------------------------------------------------------------
  // Null without --history.
  absl::StatusOr<std::unique_ptr<history::Recorder>> OpenRecorder() {
    if (!history_place_) return nullptr;
    return history::Recorder::Open(*std::exchange(history_place_, {}), MakeHeader(), clock_);
  }

  static int CloseRecorder(history::Recorder* recorder) {
    const absl::Status status = recorder == nullptr ? absl::OkStatus() : recorder->Close();
    return status.ok() ? kExitOk : Complain(kExitUnavailable, std::string(status.message()));
  }

  // Performs the entry of this number, counted from 0. Any thread.
  int Perform(size_t number, history::Recorder* recorder,
              const replay::Coordinator& coordinator) const {
    auto branches = bank_.Connect();
    if (!branches.ok()) {
      const Report failed{.type = Report::Type::kFailed,
                          .exit_code = ExitCodeOf(branches.status()),
                          .reason = std::string(branches.status().message())};
      coordinator.tell(failed);
      return failed.exit_code;
    }
    client::BankClient client(*std::move(branches), clock_,
                              {.patience = bank_.patience(),
                               .failover = !bank_.no_failover,
                               .process = number + 1,
                               .recorder = recorder,
                               .seed = number + 1,
                               .logical_clock = project_kind_ == Project::kLogicalClocks});
    const replay::PerformOptions perform{
        .barrier = !conducted_.empty() && order_ == Order::kConverged,
        .ready_ns_max = static_cast<int64_t>(ready_timeout_s_ * 1e9),
        .freshness = freshness_};
    return replay::PerformEntry(script_.entries[number], client, clock_, perform, coordinator);
  }

  int RunConducted() {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // a customer does not outlive its conductor
    auto recorder = OpenRecorder();
    if (!recorder.ok()) return Complain(kExitUnavailable, std::string(recorder.status().message()));
    std::cin.tie(nullptr);  // reading would flush what others write
    replay::RunWorker(
        {conducted_.front() - 1, conducted_.back() - 1},
        [&](size_t number, const replay::Coordinator& coordinator) {
          Perform(number, recorder->get(),
                  {.tell =
                       [&](const Report& report) {
                         // What the conductor knows is in the history, even if this process is
                         // killed next.
                         if (*recorder != nullptr) (*recorder)->Flush();
                         coordinator.tell(report);
                       },
                   .await_go = coordinator.await_go});
        },
        std::cin, std::cout);
    return CloseRecorder(recorder->get());
  }

  int RunEntry() {
    if (history_place_) AskInitial();
    auto recorder = OpenRecorder();
    if (!recorder.ok()) return Complain(kExitUnavailable, std::string(recorder.status().message()));
    const uint64_t customer = script_.entries[entry_ - 1].customer;
    script::EntryAnswers answers{.customer = customer, .answers = {}};
    const replay::Coordinator nobody{.tell =
                                         [&](const Report& report) {
                                           if (report.type == Report::Type::kAnswer) {
                                             answers.answers.push_back(report.answer);
                                             Show(customer, report.answer);
                                           } else if (report.type == Report::Type::kFailed) {
                                             Complain(report.exit_code, report.reason);
                                           }
                                         },
                                     .await_go = nullptr};
    const int exit_code = Perform(entry_ - 1, recorder->get(), nobody);
    if (const int closed = CloseRecorder(recorder->get()); closed != kExitOk) return closed;
    return exit_code == kExitOk ? Deliver({answers}) : exit_code;
  }

  // --- All of them -------------------------------------------------------------------------------
  int RunAll() {
    std::signal(SIGPIPE, SIG_IGN);  // a customer that is gone is noticed by the end of its output
    if (history_place_) {
      auto parts = replay::MakePartsFolder(*history_place_);
      if (!parts.ok()) return Complain(kExitUnavailable, std::string(parts.status().message()));
      parts_ = *std::move(parts);
      AskInitial();
    }
    replay::ConductOptions options;
    options.order = order_;
    options.command = [this](replay::Share share) { return ShareCommand(share); };
    options.show = [this](uint64_t customer, const script::Answer& answer) {
      Show(customer, answer);
    };
    const replay::ConductResult result = replay::Conduct(script_.entries, options);
    if (history_place_) {
      if (absl::Status status = MergeHistories(options.limits); !status.ok()) {
        return Complain(kExitUnavailable, fmt::format("{} (each customer's part is in {})",
                                                      std::string(status.message()), parts_));
      }
    }
    if (result.exit_code != kExitOk) return Complain(result.exit_code, result.reason);
    return Deliver(result.entries);
  }

  std::vector<std::string> ShareCommand(replay::Share share) const {
    const std::string order = order_ == Order::kConverged ? "converged" : "sequential";
    std::vector<std::string> command = {"/proc/self/exe",
                                        "replay",
                                        input_,
                                        "--conducted",
                                        std::to_string(share.first + 1),
                                        std::to_string(share.last + 1),
                                        "--order",
                                        order,
                                        "--project",
                                        std::to_string(static_cast<int>(project_kind_)),
                                        "--at",
                                        bank_.at,
                                        "--attempt-timeout",
                                        fmt::format("{}", bank_.attempt_timeout_s),
                                        "--operation-timeout",
                                        fmt::format("{}", bank_.operation_timeout_s),
                                        "--ready-timeout",
                                        fmt::format("{}", ready_timeout_s_)};
    auto add = [&](const char* flag, const std::string& value) {
      if (!value.empty()) command.insert(command.end(), {flag, value});
    };
    if (project_kind_ != Project::kLogicalClocks) {
      add("--consistency", std::string(FreshnessName(freshness_)));
    }
    if (!parts_.empty()) add("--history", HistoryPart(share));
    add("--tls-cert", bank_.tls.certificate);
    add("--tls-key", bank_.tls.key);
    add("--tls-ca", bank_.tls.authority);
    if (bank_.no_failover) command.push_back("--no-failover");
    return command;
  }

  // What the process of these entries records.
  std::string HistoryPart(replay::Share share) const {
    return fmt::format("{}/entry-{}", parts_, share.first + 1);
  }

  // Joins what the processes recorded; those that were never started recorded nothing.
  absl::Status MergeHistories(replay::OrderLimits limits) {
    std::vector<std::string> parts;
    std::error_code error;
    for (const replay::Share& share : replay::Divide(script_.entries.size(), limits)) {
      if (const std::string part = HistoryPart(share); std::filesystem::exists(part, error)) {
        parts.push_back(part);
      }
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
    if (project_kind_ == Project::kLogicalClocks && entry_ == 0) return DeliverClocks(entries);
    if (project_kind_ == Project::kClientCentric && entry_ == 0) {
      return Write(form_ == Form::k2021 ? script::FormatFinalBalances(entries)
                                        : script::FormatOutputByEvent(script_, entries));
    }
    return Write(script::FormatOutput(entries));
  }

  int DeliverClocks(const std::vector<script::EntryAnswers>& entries) {
    Position last;
    for (const script::EntryAnswers& entry : entries) {
      for (const script::Answer& answer : entry.answers) last = std::max(last, answer.position);
    }
    auto branches = bank_.Connect();
    if (!branches.ok()) return Complain(kExitUsage, std::string(branches.status().message()));
    const auto events = replay::ListClockEvents(*branches, last);
    if (!events.ok()) {
      return Complain(kExitUnavailable, std::string(events.status().message()));
    }
    if (form_ == Form::k2021) {
      const auto blocks = script::FormatClockBlocks(script_, entries, *events);
      if (blocks.ok()) return Write(*blocks);
      return Complain(kExitInconsistent, std::string(blocks.status().message()));
    }
    const script::ClockParts parts = script::FormatClocks(script_, entries, *events);
    if (files_ == Files::kOne || json_) return Write(script::JoinParts(parts));
    for (size_t i = 0; i < part_places_.size(); ++i) {
      const std::string* const part =
          std::array{&parts.customers, &parts.branches, &parts.flat}.at(i);
      const absl::Status status =
          WriteOutput(std::move(part_places_[i]), fmt::format("[{}]\n", *part));
      if (!status.ok()) return Complain(kExitUnavailable, std::string(status.message()));
    }
    return kExitOk;
  }

  int Write(const std::string& output) {
    if (json_) std::cout << output << std::flush;
    if (!output_place_) return kExitOk;
    const absl::Status status = WriteOutput(*std::exchange(output_place_, {}), output);
    if (status.ok()) return kExitOk;
    return Complain(kExitUnavailable, std::string(status.message()));
  }

  std::string input_;
  Order order_ = Order::kSequential;
  Flag order_given_;
  std::string output_;
  Flag output_given_;
  std::optional<OutputPlace> output_place_;
  std::vector<OutputPlace> part_places_;  // --files three
  int project_ = 1;
  Flag project_given_;
  Project project_kind_ = Project::kOneBalance;
  Form form_ = Form::kNow;
  Flag form_given_;
  Files files_ = Files::kOne;
  Flag files_given_;
  Guarantees guarantees_ = Guarantees::kAll;
  Flag guarantees_given_;
  std::string history_;
  Flag history_given_;
  std::optional<OutputPlace> history_place_;
  std::string parts_;  // the folder of the entries' histories
  size_t entry_ = 0;
  double ready_timeout_s_ = 30;
  std::vector<size_t> conducted_;  // the first and the last entry, from 1; empty: not conducted
  bool json_ = false;
  history::Freshness freshness_ = history::Freshness::kLinearizable;
  Flag freshness_given_;
  BankFlags bank_;
  script::Script script_;
  std::map<std::string, int64_t> initial_;  // accounts and balances before the run
  SteadyClock clock_;
};

}  // namespace

std::unique_ptr<Command> MakeReplay(FlagSet& program) { return std::make_unique<Replay>(program); }

}  // namespace bank::customer
