// bankctl digests: one line per branch about its ledger, all at the newest write.
#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "bankctl/commands.h"
#include "common/exit_code.h"
#include "common/output_file.h"

namespace bank::bankctl {
namespace {

// The place of the newest write, by a linearizable query of any branch that answers one.
std::optional<uint64_t> NewestWrite(std::vector<Branch>& branches, Deadline deadline,
                                    std::string* why) {
  for (Branch& branch : branches) {
    grpc::ClientContext call;
    call.set_deadline(deadline);
    v1::Request request;
    v1::Reply reply;
    request.set_request("query");
    const grpc::Status status = branch.customer->MsgDelivery(&call, request, &reply);
    if (status.ok()) return reply.log_index();
    *why = fmt::format("{}: {}", branch.target.address, status.error_message());
  }
  return std::nullopt;
}

std::string Line(const v1::BranchStatus& status) {
  return nlohmann::ordered_json{{"type", "digest"},
                                {"branch", status.branch()},
                                {"log_index", status.log_index()},
                                {"state", status.state_digest()},
                                {"history", status.history_digest()},
                                {"accounts", status.accounts()},
                                {"balance_total", status.balance_total()}}
      .dump();
}

}  // namespace

int CompareDigests(const Context& context, const std::string& output) {
  auto place =
      FindOutput(output, {context.tls.certificate, context.tls.key, context.tls.authority});
  if (!place.ok()) {
    std::cerr << "bankctl: --output: " << place.status().message() << "\n";
    return kExitUsage;
  }
  auto branches = Connect(context.targets, context.tls);
  if (!branches.ok()) {
    std::cerr << "bankctl: " << branches.status().message() << "\n";
    return branches.status().code() == absl::StatusCode::kPermissionDenied ? kExitDenied
                                                                           : kExitBadInput;
  }
  const Deadline deadline = context.DeadlineFromNow();
  std::string why;
  const std::optional<uint64_t> newest = NewestWrite(*branches, deadline, &why);
  if (!newest) {
    std::cerr << "bankctl: " << why << "\n";
    return kExitUnavailable;
  }
  std::vector<grpc::Status> states(branches->size());
  std::vector<v1::BranchStatus> answers(branches->size());
  ForEach(*branches, [&](size_t i, Branch& branch) {
    grpc::ClientContext call;
    call.set_deadline(deadline);
    // None may be missing: a connection that fails is tried again until the deadline.
    call.set_wait_for_ready(true);
    v1::StatusRequest request;
    request.set_minimum_index(*newest);
    states[i] = branch.admin->Status(&call, request, &answers[i]);
  });

  int exit_code = kExitOk;
  std::string lines;
  // What the first branch at a log_index says about it.
  std::map<uint64_t, const v1::BranchStatus*> first_at;
  for (size_t i = 0; i < answers.size(); ++i) {
    if (!states[i].ok()) {
      std::cerr << fmt::format("bankctl: {}: {}\n", (*branches)[i].target.address,
                               states[i].error_message());
      exit_code = kExitUnavailable;
      continue;
    }
    lines += Line(answers[i]) + "\n";
    const v1::BranchStatus& other =
        *first_at.try_emplace(answers[i].log_index(), &answers[i]).first->second;
    if (other.state_digest() != answers[i].state_digest() ||
        other.history_digest() != answers[i].history_digest()) {
      std::cerr << fmt::format("bankctl: branches {} and {} differ at log_index {}\n",
                               other.branch(), answers[i].branch(), other.log_index());
      return kExitInconsistent;
    }
  }
  if (const absl::Status status = WriteOutput(*std::move(place), lines); !status.ok()) {
    std::cerr << "bankctl: " << status.message() << "\n";
    return kExitUnavailable;
  }
  return exit_code;
}

}  // namespace bank::bankctl
