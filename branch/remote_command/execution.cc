#include "branch/remote_command/execution.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace bank::remote_command {
namespace {

// How soon a waiting command notices that it was cancelled.
constexpr int64_t kLookNs = 20'000'000;

struct Waiting {
  absl::Mutex mutex;
  std::optional<absl::Status> status ABSL_GUARDED_BY(mutex);
};

}  // namespace

absl::Status Execution::Await(absl::FunctionRef<void(Done)> start) {
  // Shared: the callback may outlive this call.
  auto waiting = std::make_shared<Waiting>();
  start([waiting](absl::Status status) {
    absl::MutexLock lock(&waiting->mutex);
    waiting->status = std::move(status);
  });
  absl::MutexLock lock(&waiting->mutex);
  const auto answered = +[](std::optional<absl::Status>* status) { return status->has_value(); };
  for (;;) {
    const int64_t left_ns = std::max<int64_t>(deadline_ns_ - clock_.NowNs(), 0);
    if (waiting->mutex.AwaitWithTimeout(absl::Condition(answered, &waiting->status),
                                        absl::Nanoseconds(std::min(left_ns, kLookNs)))) {
      return *waiting->status;
    }
    if (cancelled_.load()) return absl::CancelledError("cancelled");
    if (left_ns == 0) return absl::DeadlineExceededError("its deadline passed");
  }
}

}  // namespace bank::remote_command
