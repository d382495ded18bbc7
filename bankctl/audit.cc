// bankctl audit: who ran what, when, and how it ended.
#include <fmt/format.h>
#include <grpcpp/client_context.h>

#include <iostream>

#include "bankctl/exec.h"
#include "bankctl/table.h"
#include "common/exit_code.h"

namespace bank::bankctl {
namespace {

std::string OutcomeOf(const v1::AuditRecord& record) {
  return record.ended_unix_nanos() == 0 ? "running" : WordOf(record.outcome());
}

Json ToJson(const v1::AuditRecord& record) {
  Json json =
      Pick(record, {"id", "agent", "issuer", "command", "issued_unix_nanos", "started_unix_nanos",
                    "ended_unix_nanos", "outcome", "exit_status", "message"});
  json["outcome"] = OutcomeOf(record);
  return json;
}

}  // namespace

int ShowAudit(const Context& context, uint32_t limit) {
  auto branches = Connect(context.targets, context.tls);
  if (!branches.ok()) return Fail(branches.status());
  for (Branch& branch : *branches) {
    grpc::ClientContext call;
    call.set_deadline(context.DeadlineFromNow());
    v1::ListAuditRequest request;
    request.set_limit(limit);
    const auto stream = branch.monitor->ListAudit(&call, request);
    std::vector<v1::AuditRecord> records;
    v1::AuditRecord record;
    while (stream->Read(&record)) records.push_back(record);
    if (const grpc::Status status = stream->Finish(); !status.ok()) {
      Complain(branch, status);
      continue;
    }
    Table table({"ISSUED", "AGENT", "COMMAND", "OUTCOME", "EXIT", "WHO", "ID", "MESSAGE"});
    for (const v1::AuditRecord& shown : records) {
      if (context.json()) {
        std::cout << LineOf(ToJson(shown));
      } else {
        table.Add({IsoTime(shown.issued_unix_nanos()), shown.agent(), shown.command(),
                   OutcomeOf(shown), std::to_string(shown.exit_status()), shown.issuer(),
                   shown.id(), shown.message()});
      }
    }
    if (!context.json()) table.Print(std::cout);
    return kExitOk;
  }
  return kExitUnavailable;
}

}  // namespace bank::bankctl
