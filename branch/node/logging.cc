#include "branch/node/logging.h"

#include <fmt/format.h>
#include <grpc/support/log.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace bank::node {
namespace {

// What gRPC calls an error is mostly a peer that is not there yet; what matters to us comes back as
// a status and is logged where it is understood.
void LogOfGrpc(gpr_log_func_args* line) { spdlog::debug("grpc: {}", line->message); }

}  // namespace

void SetUpLogging(BranchId self, const std::string& level) {
  auto logger =
      std::make_shared<spdlog::logger>("branch", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(spdlog::level::from_str(level));
  logger->set_pattern(fmt::format("%Y-%m-%dT%H:%M:%S.%f %-5l branch {}: %v", self.value));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  gpr_set_log_function(LogOfGrpc);
}

}  // namespace bank::node
