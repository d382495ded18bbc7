#include "customer/history/recorder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bank::history {

absl::StatusOr<std::unique_ptr<Recorder>> Recorder::Open(const std::string& path,
                                                         const Header& header, const Clock& clock) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be created"));
  std::unique_ptr<Recorder> recorder(new Recorder(path, file, clock));
  absl::MutexLock lock(&recorder->mutex_);
  AppendHeader(header, &recorder->buffer_);
  recorder->FlushLocked();
  if (!recorder->status_.ok()) return recorder->status_;
  return recorder;
}

Recorder::Recorder(std::string path, int file, const Clock& clock)
    : path_(std::move(path)), clock_(clock), file_(file) {}

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
  if (file_ < 0) return status_;
  FlushLocked();
  if (::close(file_) != 0 && status_.ok()) status_ = absl::ErrnoToStatus(errno, path_);
  file_ = -1;
  return status_;
}

void Recorder::FlushIfDue(int64_t now_ns) {
  if (buffer_.size() < kBufferBytesMax && now_ns - flushed_ns_ < kFlushNsMax) return;
  FlushLocked();
  flushed_ns_ = now_ns;
}

void Recorder::FlushLocked() {
  std::string_view rest = buffer_;
  while (!rest.empty() && status_.ok()) {
    const ssize_t written = ::write(file_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) status_ = absl::ErrnoToStatus(errno, absl::StrCat(path_, ": cannot write"));
    if (written > 0) rest.remove_prefix(static_cast<size_t>(written));
  }
  buffer_.clear();
}

}  // namespace bank::history
