// BatchStream: one customer's stream of batches.
//
// Several batches are in the bank at a time; replies go out in the order of the batches. Beyond the
// bound no more is read, and gRPC's flow control holds the customer back. The stream ends when the
// customer has ended its side and every reply is written, or when the branch stops.
//
// Threads: gRPC's reactions and the teller's completions, in parallel; one mutex for all state.
// The object deletes itself when gRPC is done with it and no completion is outstanding.
#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "bank/v1/customer.grpc.pb.h"
#include "branch/rpc/convert.h"
#include "branch/rpc/customer_service.h"

namespace bank::rpc {

class BatchStream final : public grpc::ServerBidiReactor<v1::Batch, v1::BatchReply> {
 public:
  static constexpr size_t kBatchesInFlightMax = 64;

  BatchStream(const ServiceContext& service, grpc::CallbackServerContext* call);
  ~BatchStream() override;

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // One batch, from its arrival until its reply is written. Slots stay where they are (deque), so
  // that a completion may hold a pointer to its own.
  struct Slot {
    bool answered = false;
    int64_t begin_ns = 0;
    uint64_t reads = 0;
    uint64_t writes = 0;
    v1::BatchReply reply;
  };

  // Hands batch_ to the teller, or answers the slot at once.
  void Submit(Slot* slot);
  // The bank has answered the slot's batch. `this` may be gone when it returns.
  void OnReply(Slot* slot, const teller::BatchReply& result);
  // The slot's reply is complete. `this` may be gone when it returns.
  void Answered(Slot* slot);
  // Gives back one count of pending_ and goes on. `this` may be gone when it returns.
  void Release();
  // Starts whatever the state allows: a write, a read, the end.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ServiceContext service_;
  const std::string peer_;
  grpc::CallbackServerContext& call_;

  // Of the batch being read or submitted; never two at a time (reading_).
  v1::Batch batch_;
  BatchScratch scratch_;

  absl::Mutex mutex_;
  std::deque<Slot> slots_ ABSL_GUARDED_BY(mutex_);
  size_t pending_ ABSL_GUARDED_BY(mutex_) = 0;  // batches and reactions that still use this object
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;  // batch_ is in use
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;     // the customer sends no more
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;    // replies cannot be written any more
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;  // Finish() was called
  bool done_ ABSL_GUARDED_BY(mutex_) = false;      // gRPC has let go
};

}  // namespace bank::rpc
