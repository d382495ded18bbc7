#include "branch/replication/runtime/disk_queue.h"

#include <iterator>
#include <utility>

namespace bank::replication {

DiskQueue::DiskQueue(storage::Storage& storage, const Clock& clock, ReplicationMetrics& metrics,
                     DurableCallback on_durable, ErrorCallback on_error)
    : storage_(storage),
      clock_(clock),
      metrics_(metrics),
      on_durable_(std::move(on_durable)),
      on_error_(std::move(on_error)),
      thread_([this] { Run(); }) {}

DiskQueue::~DiskQueue() { Stop(); }

void DiskQueue::Queue(DiskJob job) {
  absl::MutexLock lock(&mutex_);
  if (stopping_) return;
  queued_.push_back(std::move(job));
  metrics_.disk_queue_depth.fetch_add(1, std::memory_order_relaxed);
}

void DiskQueue::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void DiskQueue::Run() {
  std::vector<DiskJob> jobs;
  for (;;) {
    {
      absl::MutexLock lock(&mutex_, absl::Condition(this, &DiskQueue::HasWork));
      if (queued_.empty()) return;
      jobs.swap(queued_);
    }
    for (size_t next = 0; next < jobs.size();) {
      const size_t begin = next;
      if (absl::Status status = WriteSome(jobs, &next); !status.ok()) {
        {
          absl::MutexLock lock(&mutex_);
          stopping_ = true;
          queued_.clear();
        }
        on_error_(std::move(status));
        return;
      }
      metrics_.disk_queue_depth.fetch_sub(static_cast<int64_t>(next - begin),
                                          std::memory_order_relaxed);
      on_durable_(std::vector<DiskJob>(std::make_move_iterator(jobs.begin() + begin),
                                       std::make_move_iterator(jobs.begin() + next)));
    }
    jobs.clear();
  }
}

absl::Status DiskQueue::WriteSome(const std::vector<DiskJob>& jobs, size_t* next) {
  bool appended = false;
  while (*next < jobs.size()) {
    const DiskJob& job = jobs[*next];
    if (const auto* append = std::get_if<DiskAppend>(&job)) {
      if (auto status = storage_.Append(append->first, append->entries); !status.ok())
        return status;
      appended = true;
      ++*next;
      continue;
    }
    // Everything else relies on the appends before it: first make those durable and report them.
    if (appended) break;
    ++*next;
    if (const auto* save = std::get_if<DiskSaveSnapshot>(&job)) {
      return storage_.SaveSnapshot(save->index);
    }
    if (const auto* install = std::get_if<DiskInstallSnapshot>(&job)) {
      return storage_.InstallSnapshot(install->snapshot);
    }
    if (const auto* trim = std::get_if<DiskTrimPrefix>(&job)) {
      return storage_.TrimPrefix(trim->first);
    }
    return storage_.FinishRebuild(std::get<DiskFinishRebuild>(job).vote_floor);
  }
  const int64_t begin_ns = clock_.NowNs();
  absl::Status synced = storage_.Sync();
  metrics_.sync.Record(clock_.NowNs() - begin_ns);
  return synced;
}

}  // namespace bank::replication
