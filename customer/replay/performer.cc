#include "customer/replay/performer.h"

#include <fmt/format.h>

#include <set>

#include "absl/status/status.h"
#include "customer/client/wire.h"

namespace bank::replay {
namespace {

using client::Answer;
using history::Ending;
using script::Interface;

history::Operation ToOperation(const script::Operation& scripted, const PerformOptions& options,
                               Position seen) {
  history::Operation operation;
  operation.amount = scripted.money;
  switch (scripted.interface) {
    case Interface::kQuery:
      operation.op = history::Op::kQuery;
      operation.freshness = options.freshness;
      if (options.freshness == history::Freshness::kAtLeast) operation.minimum = seen;
      // Whoever has seen nothing yet comes after everybody who has been answered.
      if (operation.freshness == history::Freshness::kAtLeast && seen == Position()) {
        operation.freshness = history::Freshness::kLinearizable;
      }
      break;
    case Interface::kDeposit:
      operation.op = history::Op::kDeposit;
      break;
    case Interface::kWithdraw:
      operation.op = history::Op::kWithdraw;
      break;
  }
  return operation;
}

// The ledger's refusals that the exercise's output calls "fail". Others mean that the customer or
// the bank is not set up for this input.
bool IsResult(const Answer& answer, Interface interface) {
  if (answer.ending != Ending::kOk) return false;
  if (answer.code == v1::OK) return true;
  if (interface == Interface::kQuery) return false;
  return answer.code == v1::INSUFFICIENT_FUNDS || answer.code == v1::BAD_AMOUNT ||
         answer.code == v1::OVERFLOW_REFUSED;
}

Report Failure(const script::Entry& entry, size_t number, const Answer& answer) {
  const script::Operation& operation = entry.operations[number];
  const bool unknown = answer.ending == Ending::kInfo;
  Report report{.type = Report::Type::kFailed};
  report.exit_code = unknown                        ? kExitUnknown
                     : answer.denied                ? kExitDenied
                     : answer.ending == Ending::kOk ? kExitRefused
                                                    : kExitUnavailable;
  report.reason =
      fmt::format("customer {}, event {}, {} at branch {}: ", entry.customer, number + 1,
                  script::InterfaceName(operation.interface), operation.branch.value);
  if (unknown) {
    report.reason +=
        fmt::format("outcome unknown (session {}, sequence {}): {}", answer.identity.session.value,
                    answer.identity.sequence, answer.reason);
  } else {
    report.reason += fmt::format("{}: {}",
                                 answer.ending == Ending::kOk               ? "refused"
                                 : operation.interface == Interface::kQuery ? "not answered"
                                                                            : "not applied",
                                 answer.reason);
  }
  return report;
}

absl::Status Prepare(const script::Entry& entry, client::BankClient& client, const Clock& clock,
                     const PerformOptions& options) {
  const int64_t deadline_ns = clock.NowNs() + options.ready_ns_max;
  std::set<BranchId> branches;
  bool writes = false;
  for (const script::Operation& operation : entry.operations) {
    branches.insert(operation.branch);
    writes = writes || operation.interface != Interface::kQuery;
  }
  for (BranchId branch : branches) {
    if (absl::Status status = client.AwaitServing(branch, deadline_ns); !status.ok()) return status;
  }
  return writes ? client.OpenSession(entry.operations.front().branch) : absl::OkStatus();
}

}  // namespace

int PerformEntry(const script::Entry& entry, client::BankClient& client, const Clock& clock,
                 const PerformOptions& options, const Coordinator& coordinator) {
  auto fail = [&](Report report) {
    coordinator.tell(report);
    return report.exit_code;
  };
  if (absl::Status status = Prepare(entry, client, clock, options); !status.ok()) {
    return fail(
        {.type = Report::Type::kFailed,
         .exit_code = absl::IsPermissionDenied(status) ? kExitDenied : kExitUnavailable,
         .reason = fmt::format("customer {}: {}", entry.customer, std::string(status.message()))});
  }
  auto await_go = [&](Report::Type because) {
    coordinator.tell({.type = because});
    return !coordinator.await_go || coordinator.await_go();
  };
  if (!await_go(Report::Type::kReady)) return kExitUnavailable;
  const size_t barrier_at = entry.CountBeforeFinalQueries();
  for (size_t i = 0; i <= entry.operations.size(); ++i) {
    if (options.barrier && i == barrier_at && !await_go(Report::Type::kWaiting)) {
      return kExitUnavailable;
    }
    if (i == entry.operations.size()) break;
    const script::Operation& scripted = entry.operations[i];
    const Answer answer =
        client.Perform(ToOperation(scripted, options, client.seen()), scripted.branch);
    if (!IsResult(answer, scripted.interface)) return fail(Failure(entry, i, answer));
    coordinator.tell(
        {.type = Report::Type::kAnswer,
         .answer = {.interface = scripted.interface,
                    .success = answer.success(),
                    .balance = scripted.interface == Interface::kQuery ? answer.balance : 0,
                    .session = answer.identity.session,
                    .sequence = answer.identity.sequence,
                    .position = answer.position}});
  }
  coordinator.tell({.type = Report::Type::kDone});
  return kExitOk;
}

}  // namespace bank::replay
