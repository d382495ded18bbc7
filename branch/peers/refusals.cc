#include "branch/peers/refusals.h"

#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "branch/peers/hello.h"
#include "spdlog/spdlog.h"

namespace bank::peers {

grpc::Status Refusals::Refuse(const absl::Status& reason) {
  if (reason.ok()) return grpc::Status::OK;
  if (!absl::IsAborted(reason)) {
    absl::MutexLock lock(&mutex_);
    const int64_t now_s = absl::ToUnixSeconds(absl::Now());
    // The newest are logged, but not each.
    if (now_s != logged_s_) {
      logged_s_ = now_s;
      spdlog::warn("refused a branch's call: {}", std::string(reason.message()));
    }
  }
  const absl::Status told = ToldToCaller(reason);
  return grpc::Status(static_cast<grpc::StatusCode>(told.code()), std::string(told.message()));
}

}  // namespace bank::peers
