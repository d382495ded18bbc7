#include "branch/peers/lamport_transport.h"

#include <grpcpp/client_context.h>

#include <utility>

#include "branch/peers/hello.h"
#include "branch/peers/lamport_convert.h"
#include "net/channel.h"
#include "spdlog/spdlog.h"

namespace bank::peers {

struct LamportTransport::Call {
  grpc::ClientContext context;
  v1::LamportRequest request;
  v1::LamportReply reply;
  Done done;
};

void LamportTransport::Exchange(BranchId to, replication::lamport::Request request, Done done) {
  auto call = std::make_unique<Call>();
  call->request = ToWire(std::move(request));
  *call->request.mutable_hello() =
      MakeHello(options_.bank, options_.self, to, ConnectionNumber(1, 1));
  call->context.set_deadline(std::chrono::system_clock::now() + kExchangeMax);
  Call* const started = call.get();
  v1::Lamport::Stub* stub = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    if (!shutdown_) stub = StubLocked(to);
    if (stub != nullptr) {
      started->done = std::move(done);
      calls_.insert(call.release());
      wait_group_.Add();
    }
  }
  if (stub == nullptr) return done(absl::UnavailableError("the branch cannot be dialled"));
  stub->async()->Exchange(&started->context, &started->request, &started->reply,
                          [this, started](grpc::Status status) {
                            std::unique_ptr<Call> ended(started);
                            {
                              absl::MutexLock lock(&mutex_);
                              calls_.erase(started);
                            }
                            if (status.ok()) {
                              ended->done(FromWire(std::move(ended->reply)));
                            } else {
                              ended->done(absl::UnavailableError(status.error_message()));
                            }
                            ended.reset();
                            wait_group_.Remove();
                          });
}

void LamportTransport::Shutdown() {
  {
    absl::MutexLock lock(&mutex_);
    shutdown_ = true;
    for (Call* call : calls_) call->context.TryCancel();
  }
  wait_group_.AwaitNone();
}

v1::Lamport::Stub* LamportTransport::StubLocked(BranchId id) {
  if (const auto it = stubs_.find(id); it != stubs_.end()) return it->second.get();
  const auto address = options_.addresses.find(id);
  if (address == options_.addresses.end()) return nullptr;
  auto channel = net::MakeChannel(address->second, options_.tls, net::ChannelKind::kPeer);
  if (!channel.ok()) {
    spdlog::error("branch {} cannot be dialled: {}", id.value, channel.status().ToString());
    return nullptr;
  }
  return stubs_.emplace(id, v1::Lamport::NewStub(*channel)).first->second.get();
}

}  // namespace bank::peers
