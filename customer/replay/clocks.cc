#include "customer/replay/clocks.h"

#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>

#include "bank/v1/lamport.grpc.pb.h"

namespace bank::replay {
namespace {

constexpr std::chrono::seconds kPatience{30};

absl::Status StatusOf(const client::Branch& branch, const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return absl::UnimplementedError(
        fmt::format("branch {} at {} keeps no logical clocks: start the branches with --replicator "
                    "lamport",
                    branch.id.value, branch.address));
  }
  return absl::UnavailableError(fmt::format("branch {} at {}: its events could not be read: {}",
                                            branch.id.value, branch.address,
                                            status.error_message()));
}

absl::StatusOr<std::vector<script::BranchEvent>> ListOf(const client::Branch& branch,
                                                        Position position) {
  const auto stub = v1::Clocks::NewStub(branch.channel);
  std::vector<script::BranchEvent> events;
  v1::ListClockEventsRequest request;
  request.set_minimum_position(position.value);
  for (bool more = true; more;) {
    v1::ListClockEventsReply reply;
    grpc::ClientContext call;
    call.set_deadline(std::chrono::system_clock::now() + kPatience);
    if (auto status = stub->ListClockEvents(&call, request, &reply); !status.ok()) {
      return StatusOf(branch, status);
    }
    for (const v1::ClockEvent& event : reply.events()) {
      request.set_after(event.number());
      events.push_back({.what = static_cast<script::BranchEvent::What>(event.what()),
                        .clock = event.clock(),
                        .partner = BranchId(event.partner()),
                        .session = SessionId(event.session()),
                        .sequence = event.sequence()});
    }
    more = reply.more();
  }
  return events;
}

}  // namespace

absl::StatusOr<script::BranchEvents> ListClockEvents(const std::vector<client::Branch>& branches,
                                                     Position position) {
  script::BranchEvents all;
  for (const client::Branch& branch : branches) {
    auto events = ListOf(branch, position);
    if (!events.ok()) return events.status();
    all.emplace(branch.id, *std::move(events));
  }
  return all;
}

}  // namespace bank::replay
