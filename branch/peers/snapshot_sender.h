// Sends one snapshot to one peer, in pieces, on a stream of its own.
#pragma once

#include <atomic>
#include <cstdint>

#include "branch/peers/link.h"
#include "branch/replication/engine/message.h"

namespace bank::peers {

class SnapshotSender {
 public:
  explicit SnapshotSender(LinkContext& context) : context_(context) {}

  // Lost if one is already on its way and gets on: the engine asks again. One that does not, or
  // that belongs to an older stream of messages, is given up: the receiver would drop it, or the
  // call hangs. `connection`: the number of the messages' stream it belongs to; the receiver drops
  // it if that stream is no longer the newest.
  void Send(const replication::InstallSnapshot& message, uint64_t connection);

  // Cancels what is on its way. Thread-safe.
  void Shutdown();

 private:
  class Stream;

  LinkContext& context_;
  absl::Mutex mutex_;
  bool shutdown_ ABSL_GUARDED_BY(mutex_) = false;
  // The newest. Every stream owns itself until its OnDone, given up or not.
  Stream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace bank::peers
