// Channels and servers with the bank's settings: how they reconnect, how large a message may be,
// how a dead peer is noticed.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "net/security.h"

namespace bank::net {

// Reconnect backoff: gRPC's own 1 s rising to 120 s would look like a broken failover.
inline constexpr int kReconnectBackoffMsMin = 100;
inline constexpr int kReconnectBackoffMsMax = 1000;
// How long one attempt to connect may take. (gRPC's "minimum backoff" is in truth this, and does
// not delay the next attempt.) A machine with more to do than it can needs seconds, not 100 ms.
inline constexpr int kConnectMsMax = 5000;

// The largest message of a customer or operator, in bytes.
inline constexpr int kCustomerMessageBytesMax = 4 << 20;
// The largest message between branches: a follower that lags behind is sent up to 64 log entries
// of 1 MiB at once.
inline constexpr int kPeerMessageBytesMax = 80 << 20;

enum class ChannelKind {
  kCustomer,  // messages to 4 MiB, and replies of any size the branch sends
  kPeer,      // between branches: large messages; a silent connection is given up within 4 s
};

enum class Connection {
  kShared,  // channels to one address with the same settings share a connection
  kOwn,     // this channel's own: a load client with N of them really has N connections
};

// Connects lazily; fails only on what MakeChannelCredentials refuses.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(
    const std::string& address, const TlsFiles& files, ChannelKind kind,
    Connection connection = Connection::kShared);

// Adds the listening port and the server's settings. *bound_port is 0 after BuildAndStart() if the
// port was taken: SO_REUSEPORT is off, so two branches never share one. Must live until then.
absl::Status AddListener(grpc::ServerBuilder& builder, const std::string& listen_address,
                         const TlsFiles& files, int* bound_port);

}  // namespace bank::net
