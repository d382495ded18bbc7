// Console: the branch's HTTP port: the page, its live stream, /metrics, /livez and /readyz.
//
//   GET /             the page, from within the program; no other host is asked for anything
//   GET /api/stream   server-sent events named "update" (view.h), twice a second; Last-Event-ID is
//                     the time of the newest message seen: the charts go on without a gap
//   GET /api/view     the same message once
//   GET /metrics      Prometheus' text format
//   GET /livez, /readyz   checks.h
// It is read-only: nothing but GET and HEAD is answered. Plaintext on loopback only, and then only
// to those who ask for it by a loopback name, so that no other site's page can read it; elsewhere
// mutual TLS.
//
// Threads: one listens, one composes, and a fixed number answer; a stream holds one of them, so at
// most kStreamsMax are open and the rest is told 503.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "branch/console/broadcast.h"
#include "branch/console/checks.h"
#include "branch/console/view.h"
#include "net/security.h"

namespace httplib {
class Server;
class DataSink;
}  // namespace httplib

namespace bank::console {

struct ConsoleOptions {
  std::string listen;  // host:port; port 0: any free one
  net::TlsFiles tls;   // used beyond loopback
};

struct ConsoleSources {
  ViewSources view;
  std::function<std::string()> metrics;  // Prometheus' text
  std::vector<Check> live;
  std::vector<Check> ready;
};

class Console {
 public:
  static constexpr int kStreamsMax = 24;

  // The metric store and what the sources use must outlive the console. InvalidArgument,
  // PermissionDenied: as net::MakeServerCredentials. Unavailable: the port is taken.
  static absl::StatusOr<std::unique_ptr<Console>> Start(const ConsoleOptions& options,
                                                        ConsoleSources sources,
                                                        telemetry::MetricStore& store);
  ~Console();

  // Ends the streams and waits for the answers under way. Idempotent.
  void Stop();

  int port() const { return port_; }
  bool secure() const { return secure_; }  // HTTPS: beyond loopback

 private:
  Console(ConsoleSources sources, telemetry::MetricStore& store);
  absl::Status Listen(const ConsoleOptions& options);
  void AddRoutes(bool loopback_only);
  void AddChecks(const std::string& endpoint, const std::vector<Check>& checks);
  void AddStream();
  void ComposeForever();
  std::string Compose(int64_t since_ms);
  // All that happened since *sent_ms, which becomes now; *number becomes that of the message
  // before.
  bool SendSince(int64_t* sent_ms, uint64_t* number, httplib::DataSink& sink);

  const ConsoleSources sources_;

  absl::Mutex view_mutex_;
  View view_ ABSL_GUARDED_BY(view_mutex_);

  Broadcast broadcast_;
  std::atomic<int> streams_ = 0;
  std::unique_ptr<httplib::Server> server_;
  int port_ = 0;
  bool secure_ = false;
  bool stopped_ = false;
  std::thread composer_;
  std::thread listener_;
};

}  // namespace bank::console
