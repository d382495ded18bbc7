// A whole bank of lamport cores under a seed: messages are delayed, reordered between pairs, lost
// and doubled; branches are killed and start again with nothing; customers write and read
// everywhere.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "branch/replication/lamport/core.h"

namespace bank::sim {

struct LamportPlan {
  uint64_t seed = 1;
  size_t branches = 3;
  int64_t busy_ms = 3'000;  // as long as customers write and faults happen
  bool kills = true;
  bool losses = true;  // of messages; and doubles
};

// What a customer was told of a write, or that he was told nothing.
struct LamportWrite {
  ledger::Command command{};
  int64_t invoked_ms = 0;
  uint64_t answered_before =
      0;  // the highest position that was answered anywhere when it was invoked
  bool answered = false;
  ledger::Outcome outcome{};
  replication::lamport::Stamp stamp{};
};

class LamportBank {
 public:
  explicit LamportBank(LamportPlan plan);

  // Until the customers are done, all branches are up and nothing is on its way. False: it does not
  // come to rest.
  bool Run();

  const std::vector<LamportWrite>& writes() const { return writes_; }
  const replication::lamport::Core& core(size_t i) const { return *branches_[i].core; }
  size_t size() const { return branches_.size(); }
  uint64_t kills() const { return kills_; }
  uint64_t losses() const { return losses_; }
  uint64_t stale_reads() const { return stale_reads_; }
  uint64_t reads() const { return reads_; }
  // One write more, when all is at rest: its outcome.
  ledger::Outcome Ask(size_t branch, const ledger::Command& command);

 private:
  struct Read {
    replication::lamport::Stamp target;
    uint64_t answered_before = 0;
  };
  struct Branch {
    std::unique_ptr<replication::lamport::Core> core;  // nullptr: down
    uint64_t incarnation = 0;
    std::map<uint64_t, size_t> open;  // by the core's number: the place in writes_
    std::vector<Read> reads;
    std::map<size_t, uint64_t> exchanges;  // by receiver: the number of the open one
  };
  struct Event {
    int64_t at_ms;
    uint64_t number;
    std::function<void()> run;
    bool operator>(const Event& other) const {
      return std::tie(at_ms, number) > std::tie(other.at_ms, other.number);
    }
  };

  uint64_t Draw(uint64_t below) { return random_() % below; }
  void After(int64_t ms, std::function<void()> run);
  void Start(size_t i);
  void Kill(size_t i);
  void Pump(size_t i);
  void Deliver(size_t from, size_t to, uint64_t exchange,
               const replication::lamport::Request& request, bool answers);
  void End(size_t from, uint64_t incarnation, size_t to, uint64_t exchange,
           std::function<void(replication::lamport::Core&)> how);
  void Found();
  void Customer();
  void Tick();
  void Write(size_t i, ledger::Command command);
  void Collect(size_t i);
  bool AllJoined() const;
  bool AtRest() const;

  const LamportPlan plan_;
  std::mt19937_64 random_;
  int64_t now_ms_ = 0;
  uint64_t events_ = 0;
  uint64_t incarnations_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> queue_;
  std::vector<Branch> branches_;
  std::vector<LamportWrite> writes_;
  std::map<uint64_t, uint64_t> sequences_;  // of each session
  uint64_t answered_position_ = 0;
  uint64_t kills_ = 0;
  uint64_t losses_ = 0;
  uint64_t reads_ = 0;
  uint64_t stale_reads_ = 0;
};

}  // namespace bank::sim
