// Recorder: writes a history while it happens.
//
// Thread-safe. Stamps are taken under the lock that orders the lines, so the file is in order of
// `ns`. Lines are buffered: they reach the file when the buffer is full, when the first of them
// has waited kFlushNsMax at the next line, on Flush() and on Close(). A history that cannot be
// written must not stop the bank's customers: the first error is kept, later lines are dropped,
// Close() tells.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/output_file.h"
#include "customer/history/event.h"

namespace bank::history {

class Recorder {
 public:
  static constexpr size_t kBufferBytesMax = 1 << 16;
  static constexpr int64_t kFlushNsMax = 50'000'000;

  // Creates or empties the file and writes the header. `clock` must outlive the recorder.
  static absl::StatusOr<std::unique_ptr<Recorder>> Open(OutputPlace place, const Header& header,
                                                        const Clock& clock);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // Call before the request is sent.
  void Invoke(const Identity& identity, const Operation& operation, BranchId branch);
  // Call after the answer was received.
  void Complete(const Identity& identity, const Operation& operation, const Completion& completion,
                BranchId branch);

  void Flush();
  // Flushes and closes; the first error of all writes. Nothing may be recorded afterwards.
  absl::Status Close();

 private:
  Recorder(OutputFile file, const Clock& clock) : clock_(clock), file_(std::move(file)) {}
  void FlushIfDue(int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FlushLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  absl::Mutex mutex_;
  std::optional<OutputFile> file_ ABSL_GUARDED_BY(mutex_);  // none: closed
  std::string buffer_ ABSL_GUARDED_BY(mutex_);
  int64_t flushed_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bank::history
