// Server: the branch's one port: its services, health, reflection and channelz.
//
// Health (grpc.health.v1, Watch included) is answered per service and for "": NOT_SERVING from the
// start, SERVING and back as SetServing() says. The services for customers and the exercise follow
// the branch's readiness, which ends while it reaches no quorum; so do "",
// bank.v1.Admin and bank.v1.Monitor, whose own calls are answered at any time.
#pragma once

#include <grpcpp/server.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "net/security.h"

namespace bank::rpc {

inline constexpr const char* kHealthNames[] = {"", "bank.v1.Customer", "RPCServicer",
                                               "bank.v1.Admin", "bank.v1.Monitor"};

struct ServerOptions {
  std::string listen;  // host:port; port 0: any free one
  net::TlsFiles tls;
};

class Server {
 public:
  // The services must outlive the server. Unavailable: the address cannot be listened on, most
  // often because its port is in use. Otherwise as net::AddListener.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       const std::vector<grpc::Service*>& services);
  ~Server();

  // Thread-safe.
  void SetServing(bool serving);

  // Health is NOT_SERVING from now on, whatever SetServing() says later. Thread-safe.
  void EndServing();

  // Takes no new call, waits for those in flight until `timeout`, then cancels them. All streams
  // are such calls.
  void Shutdown(std::chrono::milliseconds timeout);

  int port() const { return port_; }

 private:
  Server() = default;

  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace bank::rpc
