// Branch: all pieces of one branch, wired; who owns them, and in which order they start and stop.
//
// Start: what can be refused without the disk (credentials, addresses in use), data folder; then
// all pieces are made; then the ports are bound; and only then does the branch speak to anybody:
// replicator, monitoring, readiness. A process that could not bind has greeted no peer, which would
// end the streams of the living branch whose place it wanted (branch/peers/connection_numbers.h).
// Between the ports and the replicator, customers are refused, and messages of peers wait.
// Stop (bounded):
//   1. health says NOT_SERVING, and new calls are refused with ABORTED: certainly not applied;
//   2. a leader hands over, if somebody takes over quickly;
//   3. calls in flight are completed, for up to a second;
//   4. the replicator stops: what is still open is answered "unknown";
//   5. the other branches' calls and the readers of metrics end, then the server cancels what is
//   left (streams) and waits for
//      its last reaction;
//   6. this branch's own streams to the others end, metrics first; then everything is destroyed,
//   latest first.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "branch/console/console.h"
#include "branch/node/commands.h"
#include "branch/node/config.h"
#include "branch/node/monitor_service.h"
#include "branch/node/monitoring.h"
#include "branch/node/order.h"
#include "branch/node/readiness.h"
#include "branch/replication/runtime/replica.h"
#include "branch/rpc/admin_service.h"
#include "branch/rpc/customer_service.h"
#include "branch/rpc/inflight_limit.h"
#include "branch/rpc/openings.h"
#include "branch/rpc/server.h"
#include "branch/storage/posix_file_system.h"
#include "branch/telemetry/process_metrics.h"
#include "branch/teller/teller.h"
#include "common/clock.h"
#include "common/entropy.h"

namespace bank::node {

class Branch {
 public:
  // PermissionDenied: plaintext beyond loopback. InvalidArgument: unusable TLS files.
  // FailedPrecondition: the folder belongs to another bank or branch. DataLoss: the folder is
  // damaged. Unavailable: another process has the folder, or the port. Each with one line.
  // `on_fatal` may come from any thread and means that the process must end: the disk has failed
  // (ResourceExhausted or another error of the system), or the folder lacks what the branch had
  // acknowledged (DataLoss).
  static absl::StatusOr<std::unique_ptr<Branch>> Start(const Config& config,
                                                       replication::FatalHandler on_fatal);
  ~Branch() { Stop(); }

  void Stop();

  int port() const { return server_->port(); }
  // As --listen, with the port that was got if any free one was asked for.
  std::string listen_address() const;

 private:
  explicit Branch(const Config& config) : config_(config) {}
  absl::Status Open(replication::FatalHandler on_fatal);
  absl::Status Listen();
  absl::Status Run();
  telemetry::ProcessMetrics ReadMetrics() const;
  std::string OwnAddress() const;
  CommandsOptions MakeCommandsOptions(uint64_t bank);
  size_t HistoryBytesMax() const;

  const Config config_;
  SteadyClock clock_;
  OsEntropy entropy_;
  storage::PosixFileSystem files_;
  // Before the order: that tells it of changes until it has stopped.
  std::unique_ptr<Monitoring> monitoring_;
  std::unique_ptr<Commands> commands_;
  std::unique_ptr<Order> order_;
  std::unique_ptr<teller::Teller> teller_;
  std::unique_ptr<rpc::InflightLimit> inflight_limit_;
  std::unique_ptr<rpc::Openings> openings_;
  telemetry::OperationMetrics operation_metrics_;
  std::unique_ptr<rpc::CustomerService> customer_service_;
  std::unique_ptr<rpc::ExerciseService> exercise_service_;
  std::unique_ptr<rpc::AdminService> admin_service_;
  std::unique_ptr<MonitorService> monitor_service_;
  std::unique_ptr<rpc::Server> server_;
  std::atomic<bool> serves_ = false;
  std::unique_ptr<Readiness> readiness_;
  std::unique_ptr<console::Console> console_;  // nullptr: none was asked for
  bool stopped_ = false;
};

}  // namespace bank::node
