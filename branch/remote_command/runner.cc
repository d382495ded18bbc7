#include "branch/remote_command/runner.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "common/one_line.h"

namespace bank::remote_command {

using telemetry::AuditRecord;
using telemetry::CommandOutcome;

namespace {

Ended Refusal(std::string message, int64_t now_unix_ns) {
  Ended ended;
  ended.outcome = CommandOutcome::kRefused;
  ended.exit_status = 1;
  ended.message = std::move(message);
  ended.ended_unix_ns = now_unix_ns;
  return ended;
}

// What a record of an earlier time says to whoever asks again.
Ended EndOfRecord(const AuditRecord& record) {
  Ended ended;
  ended.outcome = record.outcome;
  ended.exit_status = record.exit_status;
  ended.message = record.message;
  if (record.ended_unix_ns == 0) {
    ended.outcome = CommandOutcome::kUnknown;
    ended.message = "the branch stopped while it ran; it is not run again";
  }
  ended.started_unix_ns = record.started_unix_ns;
  ended.ended_unix_ns = record.ended_unix_ns;
  ended.repeated = true;
  return ended;
}

std::string OtherCommand(std::string_view id, std::string_view text) {
  return fmt::format("the id {} belongs to another command: {}", id, text);
}

void FillEnd(const Ended& ended, AuditRecord* record) {
  record->started_unix_ns = ended.started_unix_ns;
  record->ended_unix_ns = ended.ended_unix_ns;
  record->outcome = ended.outcome;
  record->exit_status = ended.exit_status;
  record->message = ended.message;
}

}  // namespace

Runner::Runner(Options options, CommandLog& log, const Clock& clock)
    : options_(std::move(options)), log_(log), clock_(clock) {}

AuditRecord Runner::RecordOf(const Order& order) const {
  AuditRecord record;
  record.id = CheckId(order.id).ok() ? order.id : Quote(order.id);
  record.agent = options_.agent;
  record.issuer = OneLine(order.issuer, kIssuerBytesMax);
  record.command = Text(order.command);
  record.issued_unix_ns = order.issued_unix_ns;
  return record;
}

void Runner::Submit(const Order& order, const std::shared_ptr<Listener>& listener) {
  absl::Status good = CheckId(order.id);
  if (good.ok()) good = CheckDeadline(order.deadline_ms);
  if (good.ok()) good = Check(order.command);
  absl::MutexLock lock(&mutex_);
  if (!good.ok()) return Refuse(order, listener, std::string(good.message()));
  const std::string text = Text(order.command);
  if (const auto known = jobs_.find(order.id); known != jobs_.end()) {
    Job& job = *known->second;
    if (job.text != text) return Refuse(order, listener, OtherCommand(order.id, job.text));
    const bool listens = std::any_of(job.listeners.begin(), job.listeners.end(),
                                     [&](const auto& weak) { return weak.lock() == listener; });
    if (!job.ended && !listens) job.listeners.push_back(listener);
    return Tell(job, *listener);
  }
  if (stopping_) return Refuse(order, listener, "the branch stops");
  if (queue_.size() >= kQueuedMax) {
    return Refuse(order, listener, "too many commands wait to be run");
  }
  auto job = std::make_shared<Job>();
  job->order = order;
  job->text = text;
  job->deadline_ns = clock_.NowNs() + order.deadline_ms * kNsPerMs;
  job->listeners.push_back(listener);
  jobs_.emplace(order.id, job);
  Enqueue([this, job] { Process(job); });
}

void Runner::Refuse(const Order& order, const std::shared_ptr<Listener>& listener,
                    std::string message) {
  const Ended ended = Refusal(std::move(message), options_.unix_now_ns());
  AuditRecord record = RecordOf(order);
  FillEnd(ended, &record);
  if (queue_.size() < kQueuedMax && !stopping_) {
    Enqueue([this, record] { options_.audit(log_.Refuse(record)); });
  }
  listener->OnEnded(order.id, ended);
}

void Runner::RecordRefusal(AuditRecord record) {
  absl::MutexLock lock(&mutex_);
  if (queue_.size() >= kQueuedMax || stopping_) return;
  record.outcome = CommandOutcome::kRefused;
  record.exit_status = 1;
  record.issuer = OneLine(record.issuer, kIssuerBytesMax);
  record.ended_unix_ns = options_.unix_now_ns();
  if (!CheckId(record.id).ok()) record.id = Quote(record.id);
  Enqueue([this, record = std::move(record)] { options_.audit(log_.Refuse(record)); });
}

void Runner::Background(std::function<void()> work) {
  absl::MutexLock lock(&mutex_);
  if (!stopping_) Enqueue(std::move(work));
}

bool Runner::Cancel(const std::string& id, std::string_view by) {
  absl::MutexLock lock(&mutex_);
  const auto it = jobs_.find(id);
  if (it == jobs_.end() || it->second->ended) return false;
  if (it->second->cancelled_by.empty()) it->second->cancelled_by = OneLine(by, kIssuerBytesMax);
  it->second->cancelled.store(true);
  return true;
}

std::vector<std::string> Runner::Running() const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> ids;
  for (const auto& [id, job] : jobs_) {
    if (!job->ended) ids.push_back(id);
  }
  return ids;
}

void Runner::Stop() {
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    for (const auto& [id, job] : jobs_) {
      if (job->ended) continue;
      if (job->cancelled_by.empty()) job->cancelled_by = "the branch, which stops";
      job->cancelled.store(true);
    }
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

void Runner::Enqueue(std::function<void()> work) {
  queue_.push_back(std::move(work));
  if (idle_ < queue_.size() && threads_.size() < kThreadsMax) {
    threads_.emplace_back([this] { Work(); });
  }
}

void Runner::Work() {
  for (;;) {
    std::function<void()> work;
    {
      absl::MutexLock lock(&mutex_);
      ++idle_;
      mutex_.Await(absl::Condition(this, &Runner::HasWork));
      --idle_;
      if (queue_.empty()) return;  // and the branch stops
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

void Runner::Process(const JobPtr& job) {
  AuditRecord record = RecordOf(job->order);
  if (std::optional<Ended> settled = Settle(job, &record)) {
    const bool refused = !settled->repeated;
    Finish(job, *settled, /*began=*/false);
    if (refused) options_.audit(log_.Refuse(record));
    return;
  }
  options_.audit(record);
  const Ended ended = EndOf(*job, Execute(job));
  FillEnd(ended, &record);
  if (absl::Status written = log_.End(record); !written.ok()) {
    spdlog::error("the end of command {} could not be recorded: {}", record.id,
                  std::string(written.message()));
  }
  options_.audit(record);
  Finish(job, ended, /*began=*/true);
}

std::optional<Ended> Runner::Settle(const JobPtr& job, AuditRecord* record) {
  Ended refusal;
  if (const auto known = log_.Find(job->order.id, options_.agent)) {
    if (known->command == job->text) return EndOfRecord(*known);
    refusal = Refusal(OtherCommand(job->order.id, known->command), options_.unix_now_ns());
  } else {
    record->started_unix_ns = options_.unix_now_ns();
    const absl::Status begun = log_.Begin(*record);
    if (begun.ok()) {
      absl::MutexLock lock(&mutex_);
      job->started_unix_ns = record->started_unix_ns;
      TellAll(*job,
              [&](Listener& listener) { listener.OnStarted(job->order.id, job->started_unix_ns); });
      return std::nullopt;
    }
    refusal = Refusal(
        fmt::format("it cannot be recorded, so it is not run: {}", std::string(begun.message())),
        options_.unix_now_ns());
  }
  FillEnd(refusal, record);
  return refusal;
}

Answer Runner::Execute(const JobPtr& job) {
  if (job->cancelled.load()) return {CommandOutcome::kCancelled, 1, "cancelled before it ran"};
  if (clock_.NowNs() >= job->deadline_ns) {
    return {CommandOutcome::kTimedOut, 1, "its deadline passed before it could be run"};
  }
  Execution execution(clock_, job->deadline_ns, job->cancelled,
                      [this, &job](std::string_view bytes) { return Write(*job, bytes); });
  return options_.execute(job->order.command, execution);
}

bool Runner::Write(Job& job, std::string_view bytes) {
  absl::MutexLock lock(&mutex_);
  const std::string_view taken = bytes.substr(0, kOutputBytesMax - job.output.size());
  if (taken.size() < bytes.size()) job.truncated = true;
  if (!taken.empty()) {
    job.output += taken;
    TellAll(job, [&](Listener& listener) { listener.OnOutput(job.order.id, taken); });
  }
  return !job.truncated;
}

Ended Runner::EndOf(const Job& job, Answer answer) const {
  absl::MutexLock lock(&mutex_);
  Ended ended;
  ended.outcome = answer.outcome;
  ended.exit_status = answer.exit_status;
  ended.message = std::move(answer.message);
  if (ended.outcome == CommandOutcome::kCancelled) {
    ended.message = fmt::format("cancelled by {}", job.cancelled_by);
  }
  ended.truncated = job.truncated;
  ended.started_unix_ns = job.started_unix_ns;
  ended.ended_unix_ns = options_.unix_now_ns();
  return ended;
}

void Runner::Finish(const JobPtr& job, Ended ended, bool began) {
  absl::MutexLock lock(&mutex_);
  job->ended = std::move(ended);
  TellAll(*job, [&](Listener& listener) { listener.OnEnded(job->order.id, *job->ended); });
  job->listeners.clear();
  if (!began) {
    jobs_.erase(job->order.id);
    return;
  }
  finished_.push_back(job->order.id);
  while (finished_.size() > kFinishedMax) {
    jobs_.erase(finished_.front());
    finished_.pop_front();
  }
}

void Runner::Tell(const Job& job, Listener& listener) const {
  if (job.started_unix_ns != 0) listener.OnStarted(job.order.id, job.started_unix_ns);
  if (!job.output.empty()) listener.OnOutput(job.order.id, job.output);
  if (!job.ended) return;
  Ended again = *job.ended;
  again.repeated = true;
  listener.OnEnded(job.order.id, again);
}

}  // namespace bank::remote_command
