#include "net/runtime.h"

#include "absl/synchronization/mutex.h"

namespace bank::net {

void PrepareRuntime() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
}

}  // namespace bank::net
