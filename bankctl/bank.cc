#include "bankctl/bank.h"

#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include <iostream>
#include <thread>

#include "common/exit_code.h"
#include "net/channel.h"

namespace bank::bankctl {

absl::StatusOr<std::vector<Branch>> Connect(const std::vector<net::BranchAddress>& targets,
                                            const net::TlsFiles& tls) {
  std::vector<Branch> branches;
  for (const net::BranchAddress& target : targets) {
    auto channel = net::MakeChannel(target.address, tls, net::ChannelKind::kCustomer);
    if (!channel.ok()) return channel.status();
    branches.push_back({.target = target,
                        .channel = *channel,
                        .admin = v1::Admin::NewStub(*channel),
                        .customer = v1::Customer::NewStub(*channel),
                        .monitor = v1::Monitor::NewStub(*channel),
                        .health = grpc::health::v1::Health::NewStub(*channel)});
  }
  return branches;
}

void AwaitChange(const Branch& branch, std::chrono::milliseconds at_most) {
  const Deadline deadline = std::chrono::system_clock::now() + at_most;
  const grpc_connectivity_state now = branch.channel->GetState(/*try_to_connect=*/true);
  branch.channel->WaitForStateChange(now, deadline);
}

void ForEach(std::vector<Branch>& branches,
             const std::function<void(size_t index, Branch& branch)>& ask) {
  std::vector<std::jthread> threads;
  threads.reserve(branches.size());
  for (size_t i = 0; i < branches.size(); ++i) {
    threads.emplace_back([&, i] { ask(i, branches[i]); });
  }
}

std::vector<StatusAnswer> AskStatuses(std::vector<Branch>& branches, Deadline deadline) {
  std::vector<StatusAnswer> answers(branches.size());
  ForEach(branches, [&](size_t i, Branch& branch) {
    grpc::ClientContext call;
    call.set_deadline(deadline);
    answers[i].status = branch.admin->Status(&call, {}, &answers[i].branch);
  });
  return answers;
}

std::string Why(const grpc::Status& status) {
  if (!status.error_message().empty()) return status.error_message();
  return fmt::format("error {}", static_cast<int>(status.error_code()));
}

void Complain(const Branch& branch, const grpc::Status& status) {
  std::cerr << fmt::format("bankctl: {}: {}\n", branch.target.address, Why(status));
}

int ExitCodeOf(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return kExitOk;
    case grpc::StatusCode::INVALID_ARGUMENT:
      return kExitUsage;
    case grpc::StatusCode::NOT_FOUND:
      return kExitBadInput;
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      return kExitDenied;
    default:
      return kExitUnavailable;
  }
}

}  // namespace bank::bankctl
