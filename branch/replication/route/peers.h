// The other branches, as the replicator sees them. No bytes, no sockets: branch/peers implements
// this over gRPC, tests within one process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "branch/ledger/outcome.h"
#include "branch/replication/engine/message.h"
#include "branch/replication/replicator.h"
#include "common/ids.h"

namespace bank::replication {

// What became of a batch that was sent to the leader.
struct ForwardResult {
  // As ProposeResult::fate. kNotApplied also when the batch never left this branch; kUnknown also
  // when the connection broke before the answer.
  Fate fate = Fate::kUnknown;
  std::vector<ledger::Outcome> outcomes;  // one per command if kApplied
  std::string reason;                     // one line, if not kApplied
  LogIndex read_index;                    // 0: none was asked for, or the leader could not tell
  BranchId leader;                        // a hint when the asked branch does not lead; 0: none
};
using ForwardCallback = absl::AnyInvocable<void(ForwardResult)>;

// A follower's customers on their way to the leader.
struct ForwardRequest {
  std::string batch;        // joined commands (ledger/command.h); empty: no proposal
  uint64_t count = 0;       // commands in the batch
  bool read_index = false;  // asks for the quorum-confirmed commit index
  int64_t timeout_ms = 0;   // > 0: how long the leader may take
};

// Thread-safe; nothing blocks.
class Peers {
 public:
  virtual ~Peers() = default;

  // One way, under the contract of message.h. Queues are bounded: what does not fit is lost.
  virtual void Send(BranchId to, Message message) = 0;

  // `done` is called exactly once, on any thread, perhaps before Forward() returns.
  virtual void Forward(BranchId leader, ForwardRequest request, ForwardCallback done) = 0;
};

// What arrives from the other branches. Thread-safe; nothing blocks. `from` is a branch of this
// bank as it named itself; contents are well-formed but not to be believed further than that.
class PeerHandler {
 public:
  virtual ~PeerHandler() = default;
  virtual void OnMessage(BranchId from, Message message) = 0;
  // The connection of the messages of `from` has ended, and no newer one was seen. Nothing more of
  // it comes; a hint, which may be late or fail to come.
  virtual void OnConnectionLost(BranchId from) = 0;
  // `reply` must be called exactly once, on any thread, perhaps before OnForward() returns.
  virtual void OnForward(BranchId from, ForwardRequest request, ForwardCallback reply) = 0;
};

}  // namespace bank::replication
