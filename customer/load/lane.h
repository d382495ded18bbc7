// Lane: one connection of a load with a session of its own.
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

struct LaneOptions {
  uint64_t process = 1;  // in the history
  SessionId session;
  uint64_t window = 0;      // of the session
  size_t first_branch = 0;  // index into `branches`
  bool failover = true;
  uint32_t in_flight = 1;   // operations, or batches, at a time; at most (pace.h)
  uint32_t batch_size = 1;  // stream lanes: operations in a batch
};

class Lane {
 public:
  virtual ~Lane() = default;
  // Takes operations from the engine until it has as many under way as it may; goes on by itself.
  virtual void Begin() = 0;
};

// One MsgDelivery call per operation. `branches` and `engine` must outlive the lane.
std::unique_ptr<Lane> MakeUnaryLane(std::vector<client::Branch>& branches, Engine& engine,
                                    const LaneOptions& options);
// Batches over one stream.
std::unique_ptr<Lane> MakeStreamLane(std::vector<client::Branch>& branches, Engine& engine,
                                     const LaneOptions& options);

}  // namespace bank::load
