// Refusals: what is done with a caller of the branches' services who is refused. The reason goes
// into the own log, and the caller is told no more of it than he knows (hello.h).
#pragma once

#include <grpcpp/support/status.h>

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace bank::peers {

// Thread-safe.
class Refusals {
 public:
  // The status for the caller. At most one reason a second is logged: a stranger makes up as many
  // as he likes.
  grpc::Status Refuse(const absl::Status& reason);

 private:
  absl::Mutex mutex_;
  int64_t logged_s_ ABSL_GUARDED_BY(mutex_) = 0;  // the second of the last one
};

}  // namespace bank::peers
