#include "customer/replay/coordinator.h"

#include <fmt/format.h>
#include <poll.h>

#include <cerrno>
#include <deque>
#include <utility>

#include "customer/replay/process.h"
#include "customer/replay/report.h"

namespace bank::replay {
namespace {

class Performance {
 public:
  Performance(const std::vector<script::Entry>& entries, const ConductOptions& options)
      : entries_(entries), options_(options), stages_(entries.size(), Stage::kNotStarted) {
    for (const script::Entry& entry : entries) {
      result_.entries.push_back({.customer = entry.customer, .answers = {}});
    }
    for (const Share& share : Divide(entries.size(), options.limits)) {
      desks_.emplace_back(share);
      desk_of_.resize(share.last + 1, &desks_.back());
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
  // One process and what is left to do in it.
  struct ServiceContext {
    explicit ServiceContext(Share entries) : share(entries), open(share.last - share.first + 1) {}

    const Share share;
    size_t open;  // entries that are not done
    bool started = false;
    Process process;
  };

  void Start(size_t i) {
    stages_[i] = Stage::kStarting;
    ServiceContext& desk = *desk_of_[i];
    if (!std::exchange(desk.started, true)) {
      const absl::Status status = desk.process.Start(options_.command(desk.share));
      if (!status.ok()) return Fail(i, kExitUnavailable, std::string(status.message()));
    }
    desk.process.Send(fmt::format("start {}", i + 1));
  }

  void Release(size_t i) {
    stages_[i] = stages_[i] == Stage::kReady ? Stage::kRunning : Stage::kFinishing;
    desk_of_[i]->process.Send(fmt::format("go {}", i + 1));
  }

  // Takes what the processes say. False when all that were started have ended.
  bool AwaitOutput() {
    std::vector<pollfd> outputs;
    std::vector<ServiceContext*> desks;
    for (ServiceContext& desk : desks_) {
      if (desk.process.output() < 0) continue;
      outputs.push_back({.fd = desk.process.output(), .events = POLLIN, .revents = 0});
      desks.push_back(&desk);
    }
    if (outputs.empty()) return false;
    if (::poll(outputs.data(), outputs.size(), -1) < 0) return errno == EINTR;
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (outputs[k].revents != 0) Take(*desks[k]);
    }
    return true;
  }

  void Take(ServiceContext& desk) {
    const auto [first, last] = desk.share;
    std::vector<std::string> lines;
    desk.process.ReadLines(&lines);
    for (const std::string& line : lines) {
      absl::StatusOr<Report> report = ParseReport(line);
      if (!report.ok()) {
        Fail(first, kExitUnavailable, std::string(report.status().message()));
      } else if (report->entry < first || report->entry > last) {
        Fail(first, kExitUnavailable, fmt::format("not a report of its own: {}", line));
      } else {
        On(*report);
      }
    }
    if (desk.process.output() >= 0) return;
    const int exit_code = desk.process.Wait();
    for (size_t i = first; i <= last; ++i) {
      if (stages_[i] == Stage::kDone || stages_[i] == Stage::kFailed) continue;
      Fail(i, exit_code == kExitOk || exit_code > kExitRefused ? kExitUnavailable : exit_code,
           fmt::format("customer {} (entry {}) ended early with exit code {}", entries_[i].customer,
                       i + 1, exit_code));
    }
  }

  void On(const Report& report) {
    const size_t i = report.entry;
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
        if (--desk_of_[i]->open == 0) desk_of_[i]->process.CloseInput();  // it may end
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
    for (ServiceContext& desk : desks_) desk.process.CloseInput();
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
  std::deque<ServiceContext> desks_;      // never moved
  std::vector<ServiceContext*> desk_of_;  // by entry
  ConductResult result_;
  size_t shown_entry_ = 0;
  size_t shown_answers_ = 0;
};

}  // namespace

ConductResult Conduct(const std::vector<script::Entry>& entries, const ConductOptions& options) {
  return Performance(entries, options).Run();
}

}  // namespace bank::replay
