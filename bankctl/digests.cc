// bankctl digests: one line per branch about its ledger, all at the newest entry.
#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <iostream>

#include "bankctl/commands.h"
#include "bankctl/ledger_agreement.h"
#include "common/exit_code.h"
#include "common/output_file.h"

namespace bank::bankctl {
namespace {

// More often than this a bank that is written to need not be asked: it moves on in between.
constexpr int kRoundsMax = 5;

struct BranchAnswer {
  grpc::Status state;
  v1::BranchStatus status;
};

// Asks a branch for its status once it has applied all that was committed anywhere before the call:
// a linearizable query waits for that.
BranchAnswer Ask(Branch& branch, Deadline deadline) {
  BranchAnswer answer;
  grpc::ClientContext query;
  query.set_deadline(deadline);
  // None may be missing: a connection that fails is tried again until the deadline.
  query.set_wait_for_ready(true);
  v1::Request request;
  v1::Reply reply;
  request.set_request("query");
  answer.state = branch.customer->MsgDelivery(&query, request, &reply);
  if (!answer.state.ok()) return answer;
  grpc::ClientContext call;
  call.set_deadline(deadline);
  answer.state = branch.admin->Status(&call, {}, &answer.status);
  return answer;
}

// Brings all to the newest entry that one of them has applied, if the bank stands still. Notes all
// that was seen.
std::vector<BranchAnswer> AskAll(std::vector<Branch>& branches, Deadline deadline,
                                 LedgerAgreement* agreement) {
  std::vector<BranchAnswer> answers(branches.size());
  uint64_t newest = 1;
  for (int round = 0; round < kRoundsMax; ++round) {
    ForEach(branches, [&](size_t i, Branch& branch) {
      const bool again = round == 0 || answers[i].state.ok();
      if (again && answers[i].status.applied_index() < newest) answers[i] = Ask(branch, deadline);
    });
    bool equal = true;
    for (const BranchAnswer& answer : answers) {
      if (!answer.state.ok()) continue;
      agreement->Note(answer.status);
      newest = std::max(newest, answer.status.applied_index());
    }
    for (const BranchAnswer& answer : answers) {
      equal = equal && (!answer.state.ok() || answer.status.applied_index() == newest);
    }
    if (equal) break;
  }
  return answers;
}

// A line of a history (docs/HISTORY.md), which calls the position its log_index.
std::string Line(const v1::BranchStatus& status) {
  Json line = {{"type", "digest"}};
  line.update(Pick(status, {"branch", "log_index=position", "applied_index", "state=state_digest",
                            "history=history_digest", "accounts", "balance_total"}));
  return LineOf(line);
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
  if (!branches.ok()) return Fail(branches.status());
  LedgerAgreement agreement;
  const std::vector<BranchAnswer> answers =
      AskAll(*branches, context.DeadlineFromNow(), &agreement);
  int exit_code = kExitOk;
  std::string lines;
  for (size_t i = 0; i < answers.size(); ++i) {
    if (answers[i].state.ok()) {
      lines += Line(answers[i].status);
    } else {
      Complain((*branches)[i], answers[i].state);
      exit_code = kExitUnavailable;
    }
  }
  if (agreement.difference()) {
    std::cerr << fmt::format("bankctl: {}\n", agreement.difference()->Text());
    return kExitInconsistent;
  }
  if (const absl::Status status = WriteOutput(*std::move(place), lines); !status.ok()) {
    std::cerr << "bankctl: " << status.message() << "\n";
    return kExitUnavailable;
  }
  return exit_code;
}

}  // namespace bank::bankctl
