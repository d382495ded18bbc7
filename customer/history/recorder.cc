#include "customer/history/recorder.h"

#include <utility>

namespace bank::history {

absl::StatusOr<std::unique_ptr<Recorder>> Recorder::Open(OutputPlace place, const Header& header,
                                                         const Clock& clock) {
  auto file = OutputFile::Begin(std::move(place), OutputFile::Mode::kAsItComes);
  if (!file.ok()) return file.status();
  std::unique_ptr<Recorder> recorder(new Recorder(*std::move(file), clock));
  absl::MutexLock lock(&recorder->mutex_);
  AppendHeader(header, &recorder->buffer_);
  recorder->FlushLocked();
  if (!recorder->status_.ok()) return recorder->status_;
  return recorder;
}

Recorder::~Recorder() { Close().IgnoreError(); }

void Recorder::Invoke(const Identity& identity, const Operation& operation, BranchId branch) {
  absl::MutexLock lock(&mutex_);
  const int64_t ns = clock_.NowNs();
  AppendInvocation(identity, operation, branch, ns, &buffer_);
  FlushIfDue(ns);
}

void Recorder::Complete(const Identity& identity, const Operation& operation,
                        const Completion& completion, BranchId branch) {
  absl::MutexLock lock(&mutex_);
  const int64_t ns = clock_.NowNs();
  AppendCompletion(identity, operation, completion, branch, ns, &buffer_);
  FlushIfDue(ns);
}

void Recorder::Flush() {
  absl::MutexLock lock(&mutex_);
  FlushLocked();
}

absl::Status Recorder::Close() {
  absl::MutexLock lock(&mutex_);
  if (!file_) return status_;
  FlushLocked();
  if (const absl::Status closed = file_->Commit(); status_.ok()) status_ = closed;
  file_.reset();
  return status_;
}

void Recorder::FlushIfDue(int64_t now_ns) {
  if (buffer_.size() < kBufferBytesMax && now_ns - flushed_ns_ < kFlushNsMax) return;
  FlushLocked();
  flushed_ns_ = now_ns;
}

void Recorder::FlushLocked() {
  if (status_.ok()) status_ = file_->Append(buffer_);
  buffer_.clear();
}

}  // namespace bank::history
