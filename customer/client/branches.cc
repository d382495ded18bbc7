#include "customer/client/branches.h"

#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include "customer/client/wire.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace bank::client {

absl::StatusOr<std::vector<Branch>> Connect(const std::vector<net::BranchAddress>& addresses,
                                            const net::TlsFiles& tls, net::Connection connection) {
  std::vector<Branch> branches;
  for (const net::BranchAddress& address : addresses) {
    auto channel = net::MakeChannel(address.address, tls, net::ChannelKind::kCustomer, connection);
    if (!channel.ok()) return channel.status();
    branches.push_back(
        {address.branch, address.address, *channel, v1::Customer::NewStub(*channel)});
  }
  return branches;
}

absl::Status AwaitServing(const Branch& branch, const Clock& clock, int64_t deadline_ns) {
  using grpc::health::v1::HealthCheckResponse;
  auto health = grpc::health::v1::Health::NewStub(branch.channel);
  std::string seen = "not reached";
  while (true) {
    grpc::ClientContext call;
    call.set_deadline(GrpcDeadline(deadline_ns, clock.NowNs()));
    call.set_wait_for_ready(true);
    grpc::health::v1::HealthCheckRequest request;
    request.set_service("bank.v1.Customer");
    auto stream = health->Watch(&call, request);
    HealthCheckResponse response;
    while (stream->Read(&response)) {
      if (response.status() == HealthCheckResponse::SERVING) {
        call.TryCancel();  // the watch itself has no end
        stream->Finish();
        return absl::OkStatus();
      }
      seen = "there, but not serving";
    }
    const grpc::Status status = stream->Finish();
    const CallFate fate = FateOf(status);
    if (fate == CallFate::kDenied) {
      return absl::PermissionDeniedError(
          fmt::format("branch {} at {}: {}", branch.id.value, branch.address, Describe(status)));
    }
    if (fate == CallFate::kRejected || clock.NowNs() >= deadline_ns ||
        status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      return absl::UnavailableError(fmt::format("branch {} at {}: {} ({})", branch.id.value,
                                                branch.address, seen, Describe(status)));
    }
    seen = Describe(status);
    // The branch was there and went away. Until the channel has a connection again there is
    // nothing to watch; this returns when it has one, or when a reconnect was due.
    branch.channel->WaitForConnected(std::chrono::system_clock::now() +
                                     std::chrono::milliseconds(net::kReconnectBackoffMsMin));
  }
}

}  // namespace bank::client
