// MessageLink: this branch's messages to one peer, over one stream, in order.
//
// The stream is opened by the first Send() and, after it broke, by the first Send() at least
// kRedialNs later. What was queued for a broken stream is lost with it. The queue is bounded: when
// it is full the oldest message is lost.
// Threads: any. Nothing blocks.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "bank/v1/cluster.pb.h"
#include "branch/peers/link.h"

namespace bank::peers {

class MessageLink {
 public:
  static constexpr size_t kQueuedMax = 1024;
  static constexpr size_t kQueuedBytesMax = 128 << 20;

  explicit MessageLink(LinkContext& context) : context_(context) {}

  void Send(v1::PeerMessage message);

  // The number of the open stream; opens one if there is none. 0: not now.
  uint64_t Connect();

  // Cancels the stream; later messages are lost.
  void Shutdown();

 private:
  class Stream;

  bool DialLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteNextLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BreakLocked(Stream* stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The receiver has seen a newer stream of this branch than `connection`.
  void OnFollowed(uint64_t connection);
  void OnBroken(const std::string& reason);

  LinkContext& context_;

  absl::Mutex mutex_;
  bool shutdown_ ABSL_GUARDED_BY(mutex_) = false;
  Stream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;  // owns itself until its OnDone
  uint64_t connection_ ABSL_GUARDED_BY(mutex_) = 0;   // of the stream opened last
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<v1::PeerMessage> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queue_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t next_dial_ns_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string last_reason_ ABSL_GUARDED_BY(mutex_);  // each reason is logged once in a row
};

}  // namespace bank::peers
