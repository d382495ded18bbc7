// ForwardLink: this branch's customers' batches to one peer (the leader), and its answers, over one
// long-lived stream.
//
// Opened by the first Forward(); after it broke, Forward() is refused for kRedialNs. When a stream
// breaks, requests whose writing had begun complete with kUnknown, the others with kNotApplied.
// Threads: any. Callbacks run on the thread that read the answer; nothing blocks.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "bank/v1/cluster.pb.h"
#include "branch/peers/link.h"
#include "branch/replication/route/peers.h"

namespace bank::peers {

class ForwardLink {
 public:
  static constexpr size_t kOpenMax = 256;  // unanswered requests; above that: kNotApplied

  explicit ForwardLink(LinkContext& context) : context_(context) {}

  void Forward(replication::ForwardRequest request, replication::ForwardCallback done);

  // Cancels the stream and completes everything.
  void Shutdown();

 private:
  class Stream;
  struct Open {
    uint64_t count = 0;  // commands
    bool written = false;
    replication::ForwardCallback done;
  };
  using OpenMap = absl::flat_hash_map<uint64_t, Open>;

  bool DialLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteNextLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns what the caller has to complete, without the lock, by Lose().
  OpenMap BreakLocked(Stream* stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void Lose(OpenMap lost);
  void OnReply(Stream* stream, v1::ForwardReply reply);

  LinkContext& context_;

  absl::Mutex mutex_;
  bool shutdown_ ABSL_GUARDED_BY(mutex_) = false;
  Stream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;  // owns itself until its OnDone
  bool hello_due_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<v1::ForwardRequest> queue_ ABSL_GUARDED_BY(mutex_);
  OpenMap open_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  int64_t next_dial_ns_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bank::peers
