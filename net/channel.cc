#include "net/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

namespace bank::net {

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const TlsFiles& files, ChannelKind kind,
                                                           Connection connection) {
  auto credentials = MakeChannelCredentials(address, files);
  if (!credentials.ok()) return credentials.status();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectBackoffMsMin);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMsMax);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectBackoffMsMax);
  // Addresses name branches, one each: nothing is to be looked up or balanced.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  // Who may send again, and under which key, is decided above: a call is sent once. And with the
  // library's own repeats, of what it believes was never sent, a stream that meets the end of its
  // branch can hang past its deadline (gRPC 1.51).
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetMaxSendMessageSize(kind == ChannelKind::kPeer ? kPeerMessageBytesMax
                                                             : kCustomerMessageBytesMax);
  arguments.SetMaxReceiveMessageSize(kPeerMessageBytesMax);
  if (kind == ChannelKind::kPeer) {
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 2000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 2000);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  }
  if (connection == Connection::kOwn) arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, *credentials, arguments);
}

absl::Status AddListener(grpc::ServerBuilder& builder, const std::string& listen_address,
                         const TlsFiles& files, int* bound_port) {
  auto credentials = MakeServerCredentials(listen_address, files);
  if (!credentials.ok()) return credentials.status();
  builder.AddListeningPort(listen_address, *credentials, bound_port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(kPeerMessageBytesMax);
  builder.SetMaxSendMessageSize(kPeerMessageBytesMax);
  // A peer's keepalive (channel.cc above) must not be taken for abuse.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  // Only reflection and channelz are synchronous services: one poller is plenty for them.
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::MAX_POLLERS, 1);
  return absl::OkStatus();
}

}  // namespace bank::net
