#include "customer/replay/conductor.h"

#include <fmt/format.h>
#include <poll.h>

#include <cerrno>
#include <deque>

#include "customer/replay/process.h"
#include "customer/replay/report.h"

namespace bank::replay {
namespace {

class Performance {
 public:
  Performance(const std::vector<script::Entry>& entries, const ConductOptions& options)
      : entries_(entries), options_(options), stages_(entries.size(), Stage::kNotStarted) {
    for (const script::Entry& entry : entries) {
      processes_.emplace_back();
      result_.entries.push_back({.customer = entry.customer, .answers = {}});
    }
  }

  ConductResult Run() {
    do {
      if (result_.exit_code == kExitOk) {
        for (size_t i : ToStart(options_.order, stages_, options_.limits)) Start(i);
        for (size_t i : ToRelease(options_.order, stages_)) Release(i);
      }
    } while (AwaitOutput());
    return std::move(result_);
  }

 private:
  void Start(size_t i) {
    stages_[i] = Stage::kStarting;
    const absl::Status status = processes_[i].Start(options_.command(i));
    if (!status.ok()) Fail(i, kExitUnavailable, std::string(status.message()));
  }

  void Release(size_t i) {
    stages_[i] = stages_[i] == Stage::kReady ? Stage::kRunning : Stage::kFinishing;
    processes_[i].Send("go");
  }

  // Takes what the processes say. False when all that were started have ended.
  bool AwaitOutput() {
    std::vector<pollfd> outputs;
    std::vector<size_t> numbers;
    for (size_t i = 0; i < processes_.size(); ++i) {
      if (processes_[i].output() < 0) continue;
      outputs.push_back({.fd = processes_[i].output(), .events = POLLIN, .revents = 0});
      numbers.push_back(i);
    }
    if (outputs.empty()) return false;
    if (::poll(outputs.data(), outputs.size(), -1) < 0) return errno == EINTR;
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (outputs[k].revents != 0) Take(numbers[k]);
    }
    return true;
  }

  void Take(size_t i) {
    std::vector<std::string> lines;
    processes_[i].ReadLines(&lines);
    for (const std::string& line : lines) {
      absl::StatusOr<Report> report = ParseReport(line);
      if (report.ok()) {
        On(i, *report);
      } else {
        Fail(i, kExitUnavailable, std::string(report.status().message()));
      }
    }
    if (processes_[i].output() >= 0) return;
    const int exit_code = processes_[i].Wait();
    if (stages_[i] != Stage::kDone && stages_[i] != Stage::kFailed) {
      Fail(i, exit_code == kExitOk || exit_code > kExitRefused ? kExitUnavailable : exit_code,
           fmt::format("customer {} (entry {}) ended early with exit code {}", entries_[i].customer,
                       i + 1, exit_code));
    }
  }

  void On(size_t i, const Report& report) {
    switch (report.type) {
      case Report::Type::kReady:
        stages_[i] = Stage::kReady;
        break;
      case Report::Type::kAnswer:
        result_.entries[i].answers.push_back(report.answer);
        Show();
        break;
      case Report::Type::kWaiting:
        stages_[i] = Stage::kWaiting;
        break;
      case Report::Type::kDone:
        stages_[i] = Stage::kDone;
        Show();
        break;
      case Report::Type::kFailed:
        Fail(i, report.exit_code, report.reason);
        break;
    }
  }

  // The first failure is the run's; later ones mostly follow from it.
  void Fail(size_t i, int exit_code, const std::string& reason) {
    stages_[i] = Stage::kFailed;
    if (result_.exit_code == kExitOk) {
      result_.exit_code = exit_code;
      result_.reason = reason;
    }
    for (Process& process : processes_) process.CloseInput();
  }

  // Shows what is next in the input's order, as far as it is known.
  void Show() {
    while (shown_entry_ < stages_.size()) {
      const script::EntryAnswers& entry = result_.entries[shown_entry_];
      while (shown_answers_ < entry.answers.size()) {
        options_.show(entry.customer, entry.answers[shown_answers_++]);
      }
      if (stages_[shown_entry_] != Stage::kDone) return;
      ++shown_entry_;
      shown_answers_ = 0;
    }
  }

  const std::vector<script::Entry>& entries_;
  const ConductOptions& options_;
  std::vector<Stage> stages_;
  std::deque<Process> processes_;  // one per entry; never moved
  ConductResult result_;
  size_t shown_entry_ = 0;
  size_t shown_answers_ = 0;
};

}  // namespace

ConductResult Conduct(const std::vector<script::Entry>& entries, const ConductOptions& options) {
  return Performance(entries, options).Run();
}

}  // namespace bank::replay
