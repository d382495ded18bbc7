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
#include "branch/teller/teller.h"
#include "common/ids.h"

namespace bank::rpc {

// The kind that an interface names; names are case-exact. Empty if there is no such interface.
std::optional<ledger::Kind> KindOfInterface(std::string_view name);

// What the teller is asked; `kind` is the interface's. Refers to the request's bytes.
teller::Operation OperationOf(ledger::Kind kind, const v1::Request& request);

// One line for people. "" for kOk.
std::string_view MessageOf(ledger::Code code);

// Everything but `clock`.
void FillReply(const ledger::Outcome& outcome, BranchId branch, v1::Reply* reply);

// For a client whose `money` may be an int32 (the exercise's own proto): it would read a larger
// balance as another one, perhaps a negative one. OK if the balance fits. If not, the reply to a
// write, which has happened, comes without `money`, and a query is not answered: OUT_OF_RANGE.
grpc::Status FitInt32(ledger::Kind kind, v1::Reply* reply);

// The answer to an interface that there is not.
void FillBadRequest(std::string_view interface, BranchId branch, v1::Reply* reply);

// A fate other than applied. ABORTED: certainly not applied. Unknown: DEADLINE_EXCEEDED if the
// deadline has passed, else UNAVAILABLE, and the message says "unknown". A query that could not be
// answered: likewise, without the word.
grpc::Status StatusOfFate(teller::Fate fate, std::string_view reason, bool deadline_passed);

// FAILED_PRECONDITION: certainly none was opened, and none will be for a while.
grpc::Status StatusOfTooManyOpenings(uint64_t sessions_max);

// A read that could not be made: UNAVAILABLE or DEADLINE_EXCEEDED; INVALID_ARGUMENT stays so.
grpc::Status StatusOfRead(const absl::Status& status);

// What a teller's batch refers to beyond the message itself. Reused from batch to batch.
struct BatchScratch {
  std::vector<ledger::Kind> kind;
  std::vector<std::string_view> names;
};
// The message's columns as the teller takes them: amounts and indexes where they are. Valid while
// message and scratch are. A kind that is none becomes one that the teller refuses.
teller::Batch ColumnsOf(const v1::Batch& batch, BatchScratch* scratch);

// All but the first sequence of a batch whose keys the customer chose.
void FillBatchReply(const teller::BatchReply& result, v1::BatchReply* reply);

}  // namespace bank::rpc
