// The messages of branches that order by logical clocks: from and to the wire, field by field.
// Pure.
#pragma once

#include "absl/status/statusor.h"
#include "bank/v1/lamport.pb.h"
#include "branch/replication/lamport/clock_events.h"
#include "branch/replication/lamport/exchange.h"

namespace bank::peers {

// Without the hello.
v1::LamportRequest ToWire(replication::lamport::Request request);
v1::LamportReply ToWire(replication::lamport::Reply reply);
v1::ClockEvent ToWire(const replication::lamport::ClockEvent& event);

// InvalidArgument with the field's name if one is out of its range. Every entry is one that
// Ledger::Apply() takes. The sender is the one that the hello names.
absl::StatusOr<replication::lamport::Request> FromWire(v1::LamportRequest wire);
absl::StatusOr<replication::lamport::Reply> FromWire(v1::LamportReply wire);

}  // namespace bank::peers
