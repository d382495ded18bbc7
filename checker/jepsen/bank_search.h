// BankSearch: is there an order of a bank's transfers and reads, in keeping with time, that
// explains every read and in which no account is ever overdrawn?
//
// Wing and Gong's search ("Testing and verifying concurrent objects", 1993) with Lowe's
// memoisation ("Testing for linearizability", 2017), made for reads that show the whole bank. A
// read fixes the state, so the transfers between two reads are looked for as a set that gives the
// difference (transfer_sums.h), not one by one; their order matters to overdrafts only and is
// settled when the set is known (transfer_order.h). In particular:
//   - A read that is right now is taken at once, and a transfer only when its time is up or a read
//     demands it. Of transfers of equal content the one that must be over first is taken first.
//   - Transfers of unknown outcome cost: what explains more with fewer of them is pursued first, in
//     the manner of A*, so a bad choice is given up where it shows instead of far behind it.
//   - What came before the first read is told by it; those that overlap it may have come before.
// Memory: about 150 bytes for each of up to 2^20 states. One owner.
#pragma once

#include <cstdint>
#include <queue>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "checker/jepsen/bank_index.h"
#include "checker/jepsen/bank_steps.h"
#include "checker/jepsen/transfer_sums.h"
#include "checker/model/budget.h"

namespace bank::checker {

class BankSearch {
 public:
  enum class Answer : uint8_t {
    kExplained,
    kViolation,  // there is no such order
    kOverdrawn,  // none was found; some were given up because somebody would have been overdrawn
    kUnknown,
  };

  static constexpr int64_t kPatience = 16;

  // `patience`: an order may use one more transfer of unknown outcome if it is so many steps longer
  // for it. It decides what is tried first, never the answer.
  BankSearch(const BankSteps& bank, const Budget& budget, int64_t patience = kPatience);
  Answer Run();
  // If explained: places in `bank.steps` in the order that explains the reads.
  const std::vector<size_t>& order() const { return order_; }

 private:
  using Mark = std::pair<uint64_t, uint64_t>;
  static constexpr uint32_t kNone = UINT32_MAX;

  // What was done on one way from the beginning, as what it adds to its parent.
  struct Node {
    uint32_t parent = kNone;
    uint32_t segment = kNone;  // the node that ends with the newest read; kNone: no read yet
    uint32_t costly = kNone;   // the newest one that took optional steps, itself or before
    uint32_t taken = 0;        // taken_[taken, taken + taken_size)
    uint32_t taken_size = 0;
    uint32_t ahead = 0;  // likewise in ahead_: required steps that were over after the frontier
    uint32_t ahead_size = 0;
    uint32_t frontier = 0;  // all of required_ before it is done
    uint32_t done = 0;      // required steps
    uint32_t cost = 0;      // optional steps
    bool is_early = false;  // its one step is a transfer before the first read
    int64_t first_until =
        0;  // what began later did not overlap the first read; 0: nothing that is left did
    uint64_t value = 0;  // sum of balance times weight, if there was a read
    Mark mark;           // of the set of steps
  };
  struct Entry {
    int64_t rank = 0;  // least first
    uint32_t node = 0;
    uint32_t stage = 0;
    bool operator<(const Entry& other) const {
      return rank != other.rank ? rank > other.rank : node < other.node;
    }
  };
  struct Move {
    std::vector<uint32_t> steps;
    bool is_early = false;
  };

  void Push(uint32_t node, uint32_t stage);
  void Expand(uint32_t node, uint32_t stage);
  void ExpandUnknown(uint32_t node, const std::vector<uint32_t>& candidates);
  void ExpandBlocks(uint32_t node, uint32_t stage, const std::vector<uint32_t>& candidates);
  std::vector<uint32_t> Candidates(const Node& node) const;
  std::vector<TransferSums::Costly> CostlyOnes(const Node& node, int64_t until) const;
  bool OverlapsFirstRead(const Node& node, const std::vector<uint32_t>& ahead) const;
  bool Take(uint32_t parent, const Move& move);
  bool EndsSegmentWell(uint32_t parent, const Move& move);
  bool Finish(uint32_t node);
  std::vector<size_t> Way(uint32_t from, uint32_t to, bool early) const;

  const BankSteps& bank_;
  const Budget budget_;
  const int64_t patience_;
  const BankIndex index_;
  std::vector<Node> nodes_;
  std::vector<uint32_t> taken_;
  std::vector<uint32_t> ahead_;
  std::priority_queue<Entry> queue_;
  absl::flat_hash_set<Mark> seen_;
  bool is_complete_ = true;
  bool was_overdrawn_ = false;
  std::vector<size_t> order_;
};

}  // namespace bank::checker
