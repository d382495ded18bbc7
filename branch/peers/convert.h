// Between the wire of bank/v1/cluster.proto and the values of replication. Pure.
//
// What comes from outside is checked field by field against the ranges of message.h: an error names
// the field, and nothing is kept of the message. An entry that is not one is refused here, before
// it can be in any log. Forwarded batches are checked by the leader that is to order them.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bank/v1/cluster.pb.h"
#include "branch/replication/engine/message.h"
#include "branch/replication/route/peers.h"
#include "common/ids.h"

namespace bank::peers {

// Everything but InstallSnapshot, which has a stream of its own.
v1::PeerMessage ToWire(const replication::Message& message);
// `from`: who sent it. InvalidArgument also for a hello, which is no message.
absl::StatusOr<replication::Message> FromWire(BranchId from, v1::PeerMessage wire);

// The head without its hello; the pieces are slices of snapshot.state.
v1::SnapshotHead ToWire(const replication::InstallSnapshot& message);
// `state` is what the pieces carried: it must have the head's size and checksum.
absl::StatusOr<replication::Message> FromWire(v1::SnapshotHead head, std::string state);

v1::ForwardRequest ToWire(replication::ForwardRequest request);
absl::StatusOr<replication::ForwardRequest> FromWire(v1::ForwardRequest wire);

v1::ForwardReply ToWire(const replication::ForwardResult& result);
// `count`: commands in the request that is answered.
absl::StatusOr<replication::ForwardResult> FromWire(v1::ForwardReply wire, uint64_t count);

}  // namespace bank::peers
