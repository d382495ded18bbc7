#include "bankctl/commands.h"

#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <iostream>

#include "bankctl/table.h"
#include "common/exit_code.h"

namespace bank::bankctl {

int Fail(const absl::Status& status) {
  std::cerr << "bankctl: " << status.message() << "\n";
  return status.code() == absl::StatusCode::kPermissionDenied ? kExitDenied : kExitBadInput;
}

absl::StatusOr<std::vector<Branch>> WholeBank(const Context& context) {
  auto branches = Connect(context.targets, context.tls);
  if (!branches.ok() || branches->size() != 1) return branches;
  const auto answers = AskStatuses(*branches, context.DeadlineFromNow());
  if (!answers[0].status.ok()) return branches;
  std::vector<net::BranchAddress> members;
  for (const v1::Member& member : answers[0].branch.members()) {
    members.push_back({BranchId(member.branch()), member.address()});
  }
  return Connect(members, context.tls);
}

int ShowStatus(const Context& context) {
  auto branches = WholeBank(context);
  if (!branches.ok()) return Fail(branches.status());
  const auto answers = AskStatuses(*branches, context.DeadlineFromNow());
  int exit_code = kExitOk;
  Table table({"BRANCH", "ADDRESS", "ROLE", "TERM", "LEADER", "READY", "POSITION", "COMMIT",
               "APPLIED", "SNAPSHOT", "ACCOUNTS", "TOTAL", "STATE", "REPLICATOR"});
  for (size_t i = 0; i < answers.size(); ++i) {
    const Branch& branch = (*branches)[i];
    const v1::BranchStatus& s = answers[i].branch;
    const uint64_t number = s.branch() ? s.branch() : branch.target.branch.value;
    const std::string id = number ? std::to_string(number) : "-";
    if (!answers[i].status.ok()) {
      exit_code = kExitUnavailable;
      if (context.json()) {
        std::cout << LineOf(Json{{"branch", branch.target.branch.value},
                                 {"address", branch.target.address},
                                 {"error", Why(answers[i].status)}});
      } else {
        Complain(branch, answers[i].status);
        table.Add({id, branch.target.address, "no answer", "-", "-", "-", "-", "-", "-", "-", "-",
                   "-", "-", "-"});
      }
      continue;
    }
    if (context.json()) {
      Json line = Pick(s, {"branch", "role", "term", "leader", "ready", "position", "commit_index",
                           "applied_index", "last_index", "snapshot_index", "accounts", "sessions",
                           "balance_total", "state=state_digest", "history=history_digest",
                           "replicator", "version"});
      line["address"] = branch.target.address;
      std::cout << LineOf(line);
      continue;
    }
    table.Add({id, branch.target.address, s.role(), std::to_string(s.term()),
               s.leader() ? std::to_string(s.leader()) : "-", s.ready() ? "yes" : "no",
               std::to_string(s.position()), std::to_string(s.commit_index()),
               std::to_string(s.applied_index()), std::to_string(s.snapshot_index()),
               std::to_string(s.accounts()), std::to_string(s.balance_total()), s.state_digest(),
               s.replicator()});
  }
  if (!context.json()) table.Print(std::cout);
  return exit_code;
}

int ShowMembers(const Context& context) {
  auto branches = Connect(context.targets, context.tls);
  if (!branches.ok()) return Fail(branches.status());
  const auto answers = AskStatuses(*branches, context.DeadlineFromNow());
  const auto answer =
      std::find_if(answers.begin(), answers.end(), [](const auto& a) { return a.status.ok(); });
  if (answer == answers.end()) {
    for (size_t i = 0; i < answers.size(); ++i) Complain((*branches)[i], answers[i].status);
    return kExitUnavailable;
  }
  Table table({"BRANCH", "ADDRESS", "VOTER", "LEADER"});
  for (const v1::Member& member : answer->branch.members()) {
    const bool leads = member.branch() == answer->branch.leader();
    if (context.json()) {
      Json line = Pick(member, {"branch", "address", "voter"});
      line["leader"] = leads;
      std::cout << LineOf(line);
    } else {
      table.Add({std::to_string(member.branch()), member.address(), member.voter() ? "yes" : "no",
                 leads ? "yes" : "no"});
    }
  }
  if (!context.json()) table.Print(std::cout);
  return kExitOk;
}

int ShowHealth(const Context& context) {
  auto branches = Connect(context.targets, context.tls);
  if (!branches.ok()) return Fail(branches.status());
  const std::vector<std::string> services = {"", "bank.v1.Customer", "RPCServicer", "bank.v1.Admin",
                                             "bank.v1.Monitor"};
  std::vector<std::vector<std::string>> states(branches->size());
  const Deadline deadline = context.DeadlineFromNow();
  ForEach(*branches, [&](size_t i, Branch& branch) {
    for (const std::string& service : services) {
      grpc::ClientContext call;
      call.set_deadline(deadline);
      grpc::health::v1::HealthCheckRequest request;
      grpc::health::v1::HealthCheckResponse response;
      request.set_service(service);
      const grpc::Status status = branch.health->Check(&call, request, &response);
      states[i].push_back(status.ok() ? WordOf(response.status()) : "no_answer");
    }
  });
  int exit_code = kExitOk;
  Table table({"ADDRESS", "SERVICE", "HEALTH"});
  for (size_t i = 0; i < states.size(); ++i) {
    for (size_t s = 0; s < services.size(); ++s) {
      if (states[i][s] != "serving") exit_code = kExitUnavailable;
      const std::string& address = (*branches)[i].target.address;
      if (context.json()) {
        std::cout << LineOf(
            Json{{"address", address}, {"service", services[s]}, {"health", states[i][s]}});
      } else {
        table.Add({address, services[s].empty() ? "(all)" : services[s], states[i][s]});
      }
    }
  }
  if (!context.json()) table.Print(std::cout);
  return exit_code;
}

int TakeSnapshots(const Context& context) {
  auto branches = Connect(context.targets, context.tls);
  if (!branches.ok()) return Fail(branches.status());
  int exit_code = kExitOk;
  for (Branch& branch : *branches) {
    grpc::ClientContext call;
    call.set_deadline(context.DeadlineFromNow());
    v1::TakeSnapshotReply reply;
    const grpc::Status status = branch.admin->TakeSnapshot(&call, {}, &reply);
    if (!status.ok()) {
      Complain(branch, status);
      exit_code = kExitUnavailable;
    } else if (context.json()) {
      std::cout << LineOf(
          Json{{"address", branch.target.address}, {"snapshot_index", reply.snapshot_index()}});
    } else {
      std::cout << fmt::format("{}: snapshot at log entry {}\n", branch.target.address,
                               reply.snapshot_index());
    }
  }
  return exit_code;
}

int TransferLeadership(const Context& context, uint32_t to) {
  // Only the leader can hand over. Whoever answers says who that is.
  auto bank = WholeBank(context);
  if (!bank.ok()) return Fail(bank.status());
  const auto answers = AskStatuses(*bank, context.DeadlineFromNow());
  for (size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].status.ok() || answers[i].branch.role() != "leader") continue;
    grpc::ClientContext call;
    call.set_deadline(context.DeadlineFromNow());
    v1::TransferLeadershipRequest request;
    v1::TransferLeadershipReply reply;
    request.set_branch(to);
    const grpc::Status status = (*bank)[i].admin->TransferLeadership(&call, request, &reply);
    if (status.ok()) {
      const uint32_t from = answers[i].branch.branch();
      std::cout << (context.json() ? LineOf(Json{{"from", from}, {"to", to}})
                                   : fmt::format("branch {} has handed over{}\n", from,
                                                 to == 0 ? "" : fmt::format(" to branch {}", to)));
      return kExitOk;
    }
    Complain((*bank)[i], status);
    return ExitCodeOf(status);
  }
  std::cerr << "bankctl: none of the branches that answered leads\n";
  return kExitUnavailable;
}

}  // namespace bank::bankctl
