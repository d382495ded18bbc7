// bankctl wait-ready: watches the health of every branch until all serve customers.
#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include <iostream>

#include "bankctl/commands.h"
#include "common/exit_code.h"

namespace bank::bankctl {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// Empty when the branch serves; else why it does not, after `deadline`.
std::string AwaitServing(Branch& branch, Deadline deadline) {
  std::string last = "never reached";
  for (;;) {
    grpc::ClientContext call;
    call.set_deadline(deadline);
    call.set_wait_for_ready(true);
    HealthCheckRequest request;
    request.set_service("bank.v1.Customer");
    auto stream = branch.health->Watch(&call, request);
    HealthCheckResponse response;
    while (stream->Read(&response)) {
      if (response.status() == HealthCheckResponse::SERVING) {
        call.TryCancel();
        stream->Finish();
        return "";
      }
      last = "not ready yet";
    }
    const grpc::Status status = stream->Finish();
    if (std::chrono::system_clock::now() >= deadline ||
        status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      return last;
    }
    if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) return "not a branch of a bank";
    last = status.error_message();
    AwaitChange(branch, kRedial);
  }
}

}  // namespace

int WaitReady(const Context& context) {
  auto branches = Connect(context.targets, context.tls);
  if (!branches.ok()) return Fail(branches.status());
  const Deadline deadline = context.DeadlineFromNow();
  std::vector<std::string> faults(branches->size());
  ForEach(*branches, [&](size_t i, Branch& branch) { faults[i] = AwaitServing(branch, deadline); });
  int exit_code = kExitOk;
  for (size_t i = 0; i < faults.size(); ++i) {
    if (faults[i].empty()) continue;
    std::cerr << fmt::format("bankctl: {}: {}\n", (*branches)[i].target.address, faults[i]);
    exit_code = kExitUnavailable;
  }
  return exit_code;
}

}  // namespace bank::bankctl
