// Between messages and the ledger's words. Pure.
#pragma once

#include <grpcpp/support/status.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "bank/v1/customer.pb.h"
#include "branch/ledger/command.h"
#include "branch/ledger/outcome.h"
#include "branch/replication/replicator.h"
#include "common/ids.h"

namespace bank::rpc {

// The kind that an interface names; names are case-exact. Empty if there is no such interface.
std::optional<ledger::Kind> KindOfInterface(std::string_view name);

// One line for people. "" for kOk.
std::string_view MessageOf(ledger::Code code);

// Everything but `clock`.
void FillReply(const ledger::Outcome& outcome, BranchId branch, v1::Reply* reply);

// The answer to an interface that there is not.
void FillBadRequest(std::string_view interface, BranchId branch, v1::Reply* reply);

// A write's fate other than applied: ABORTED is certain; a deadline that has passed is
// DEADLINE_EXCEEDED, anything else UNAVAILABLE: both unknown, and the message says so.
grpc::Status StatusOfFate(replication::Fate fate, std::string_view reason, bool deadline_passed);

// A read that could not be made: UNAVAILABLE or DEADLINE_EXCEEDED; INVALID_ARGUMENT stays so.
grpc::Status StatusOfRead(const absl::Status& status);

// The commands of a batch, without keys; they refer to the batch's names. InvalidArgument, with
// one line, if its columns do not fit together.
absl::Status ReadBatch(const v1::Batch& batch, std::vector<ledger::Command>* commands);

// The columns of an applied batch.
void FillBatchReply(const std::vector<ledger::Outcome>& outcomes, v1::BatchReply* reply);

}  // namespace bank::rpc
