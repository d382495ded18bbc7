#include "branch/rpc/server.h"

#include <fmt/format.h>
#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>

#include <mutex>

#include "net/channel.h"

namespace bank::rpc {
namespace {

// gRPC keeps these as settings of the process.
void EnableStandardServices() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::channelz::experimental::InitChannelzService();
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      const std::vector<grpc::Service*>& services) {
  EnableStandardServices();
  auto server = std::unique_ptr<Server>(new Server);
  grpc::ServerBuilder builder;
  if (absl::Status listener =
          net::AddListener(builder, options.listen, options.tls, &server->port_);
      !listener.ok()) {
    return listener;
  }
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 1);
  for (grpc::Service* service : services) builder.RegisterService(service);
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr || server->port_ == 0) {
    return absl::UnavailableError(
        fmt::format("cannot listen on {}: is the port in use?", options.listen));
  }
  server->SetServing(false);
  return server;
}

Server::~Server() {
  if (server_ != nullptr) Shutdown(std::chrono::milliseconds(0));
}

void Server::SetServing(bool serving) {
  auto* health = server_->GetHealthCheckService();
  for (const char* name : kHealthNames) health->SetServingStatus(name, serving);
}

void Server::EndServing() { server_->GetHealthCheckService()->Shutdown(); }

void Server::Shutdown(std::chrono::milliseconds timeout) {
  server_->Shutdown(std::chrono::system_clock::now() + timeout);
}

}  // namespace bank::rpc
