// Runner: runs the commands that this branch is given, each id at most once, however often and over
// whichever connection it is asked for.
//
// An id that is known is not run: whoever asks again hears what became of the first, from its start
// if the output is still remembered (the newest kFinishedMax), else its end alone; if it still
// runs, the rest as it comes. One that was begun before a restart and has no end: UNKNOWN, for
// ever. The same id with another command is refused.
//
// Every command, refused ones too, leaves a record in the log; `audit` is told of each record when
// it is made and when it changes.
//
// Threads: Submit(), Cancel() and Stop() from any, and they never wait for the disk (Stop() waits
// for running commands, which it cancels). Commands run on the runner's own threads, kThreadsMax at
// a time; kQueuedMax more wait, beyond that they are refused. Listeners and `audit` are called on
// these threads or the caller's; a listener is called under the runner's lock and must neither
// block nor call back.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "branch/remote_command/catalog.h"
#include "branch/remote_command/command_log.h"
#include "branch/remote_command/execution.h"
#include "branch/telemetry/sample_batch.h"
#include "common/clock.h"

namespace bank::remote_command {

struct Order {
  std::string id;
  std::string issuer;
  Command command;
  int64_t deadline_ms = kDeadlineMsDefault;  // from now
  int64_t issued_unix_ns = 0;
};

struct Ended {
  telemetry::CommandOutcome outcome = telemetry::CommandOutcome::kUnknown;
  int exit_status = 0;
  std::string message;  // one line
  bool truncated = false;
  int64_t started_unix_ns = 0;  // 0: never
  int64_t ended_unix_ns = 0;
  bool repeated = false;  // the id was known: this is what became of it then
};

// Hears of one command or several: its start, its output, its end, in this order. One that asks
// again for a command it listens to hears it from the start again, and then goes on.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void OnStarted(const std::string& id, int64_t time_unix_ns) = 0;
  virtual void OnOutput(const std::string& id, std::string_view bytes) = 0;
  virtual void OnEnded(const std::string& id, const Ended& ended) = 0;
};

class Runner {
 public:
  static constexpr size_t kThreadsMax = 8;
  static constexpr size_t kQueuedMax = 256;
  static constexpr size_t kFinishedMax = 64;  // whose output is remembered

  struct Options {
    std::string agent;  // this one's name
    Executor execute;
    std::function<int64_t()> unix_now_ns;
    std::function<void(const telemetry::AuditRecord&)> audit;
  };
  // The log and the clock must outlive it.
  Runner(Options options, CommandLog& log, const Clock& clock);
  ~Runner() { Stop(); }

  // Unchecked: whatever is wrong with the order is answered as REFUSED. A listener that is gone by
  // then is not told.
  void Submit(const Order& order, const std::shared_ptr<Listener>& listener);

  // A record of something that was refused before it became an order of this runner's.
  void RecordRefusal(telemetry::AuditRecord record);

  // Runs what waits for the disk on one of the runner's threads; nothing after Stop().
  void Background(std::function<void()> work);

  // The command with this id ends as CANCELLED, unless it has ended. False: it is not running.
  bool Cancel(const std::string& id, std::string_view by);

  std::vector<std::string> Running() const;

  // Cancels what runs and waits for its end. Idempotent; later orders are refused.
  void Stop();

 private:
  struct Job {
    Order order;
    std::string text;  // of the command
    int64_t deadline_ns = 0;
    std::atomic<bool> cancelled{false};
    // Below: under the runner's lock.
    std::string cancelled_by;
    int64_t started_unix_ns = 0;
    std::string output;
    bool truncated = false;
    std::optional<Ended> ended;
    std::vector<std::weak_ptr<Listener>> listeners;
  };
  using JobPtr = std::shared_ptr<Job>;

  void Enqueue(std::function<void()> work) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Work();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || !queue_.empty();
  }

  // One job from its arrival at a thread to its end.
  void Process(const JobPtr& job);
  // The answer without running: refused, or known from before a restart. Nothing: run it.
  std::optional<Ended> Settle(const JobPtr& job, telemetry::AuditRecord* record);
  Answer Execute(const JobPtr& job);
  bool Write(Job& job, std::string_view bytes);
  Ended EndOf(const Job& job, Answer answer) const;
  // Tells all listeners, and remembers the job, or forgets it if it never began.
  void Finish(const JobPtr& job, Ended ended, bool began);

  telemetry::AuditRecord RecordOf(const Order& order) const;
  void Tell(const Job& job, Listener& listener) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  template <class Call>
  void TellAll(const Job& job, Call call) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (const auto& weak : job.listeners) {
      if (auto listener = weak.lock()) call(*listener);
    }
  }
  void Refuse(const Order& order, const std::shared_ptr<Listener>& listener, std::string message)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  CommandLog& log_;
  const Clock& clock_;

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, JobPtr> jobs_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> finished_ ABSL_GUARDED_BY(mutex_);  // oldest first; they are in jobs_
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  size_t idle_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bank::remote_command
