#include "customer/replay/worker.h"

#include <fmt/format.h>

#include <istream>
#include <map>
#include <ostream>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "customer/replay/report.h"

namespace bank::replay {
namespace {

class Worker {
 public:
  Worker(Share share, const PerformNumber& perform, std::ostream& reports)
      : share_(share), perform_(perform), reports_(reports) {}

  void Run(std::istream& commands) {
    for (std::string line; std::getline(commands, line);) {
      std::istringstream words(line);
      std::string command;
      size_t entry = 0;
      words >> command >> entry;
      if (entry < share_.first + 1 || entry > share_.last + 1) continue;
      if (command == "start") Start(entry - 1);
      if (command == "go") Go(entry - 1);
    }
    End();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void Start(size_t number) {
    {
      absl::MutexLock lock(&mutex_);
      if (!goes_.emplace(number, 0).second) return;
    }
    const Coordinator coordinator{
        .tell = [this, number](const Report& report) { Tell(number, report); },
        .await_go = [this, number] { return AwaitGo(number); }};
    try {
      threads_.emplace_back([this, number, coordinator] { perform_(number, coordinator); });
    } catch (const std::system_error& error) {
      Tell(number,
           {.type = Report::Type::kFailed,
            .exit_code = kExitUnavailable,
            .reason = fmt::format("entry {}: no thread for it: {}", number + 1, error.what())});
    }
  }

  void Go(size_t number) {
    absl::MutexLock lock(&mutex_);
    if (const auto it = goes_.find(number); it != goes_.end()) ++it->second;
  }

  void End() {
    absl::MutexLock lock(&mutex_);
    over_ = true;
  }

  bool AwaitGo(size_t number) {
    absl::MutexLock lock(&mutex_);
    int& goes = goes_.at(number);
    const auto told = [&] { return goes > 0 || over_; };
    mutex_.Await(absl::Condition(&told));
    return goes-- > 0;
  }

  void Tell(size_t number, Report report) {
    report.entry = number;
    absl::MutexLock lock(&reports_mutex_);
    reports_ << FormatReport(report) << std::flush;
  }

  const Share share_;
  const PerformNumber& perform_;

  absl::Mutex mutex_;
  std::map<size_t, int> goes_ ABSL_GUARDED_BY(mutex_);  // not yet taken, of those that were started
  bool over_ ABSL_GUARDED_BY(mutex_) = false;           // no go will come

  absl::Mutex reports_mutex_;
  std::ostream& reports_ ABSL_GUARDED_BY(reports_mutex_);

  std::vector<std::thread> threads_;
};

}  // namespace

void RunWorker(Share share, const PerformNumber& perform, std::istream& commands,
               std::ostream& reports) {
  Worker(share, perform, reports).Run(commands);
}

}  // namespace bank::replay
