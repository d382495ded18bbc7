// Worker: one connection of a load with a session of its own.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "customer/client/branches.h"
#include "customer/load/engine.h"

namespace bank::load {

// The sequences of a session: which is next, and below which all are answered.
class Sequences {
 public:
  explicit Sequences(uint64_t window) : window_(window) {}

  // True if `count` more would not outrun what the bank remembers.
  bool HasRoom(uint64_t count) const { return answered_.size() + count < window_; }
  uint64_t Take() {
    answered_.push_back(false);
    return answered_below_ + answered_.size() - 1;
  }
  void Answer(uint64_t sequence) {
    answered_[sequence - answered_below_] = true;
    while (!answered_.empty() && answered_.front()) {
      answered_.pop_front();
      ++answered_below_;
    }
  }
  uint64_t answered_below() const { return answered_below_; }

 private:
  const uint64_t window_;
  uint64_t answered_below_ = 1;
  std::deque<bool> answered_;  // of the sequences from answered_below_ on
};

struct WorkerOptions {
  uint64_t process = 1;  // in the history
  SessionId session;
  uint64_t window = 0;      // of the session
  size_t first_branch = 0;  // index into `branches`
  bool failover = true;
  uint32_t in_flight = 1;   // operations, or batches, at a time; at most (pace.h)
  uint32_t batch_size = 1;  // stream workers: operations in a batch
};

class Worker {
 public:
  virtual ~Worker() = default;
  // Takes operations from the engine until it has as many under way as it may; goes on by itself.
  virtual void Begin() = 0;
};

// One MsgDelivery call per operation. `branches` and `engine` must outlive the worker.
std::unique_ptr<Worker> MakeUnaryWorker(std::vector<client::Branch>& branches, Engine& engine,
                                        const WorkerOptions& options);
// Batches over one stream.
std::unique_ptr<Worker> MakeStreamWorker(std::vector<client::Branch>& branches, Engine& engine,
                                         const WorkerOptions& options);

}  // namespace bank::load
