// StepSearch: is there an order of these steps on a register, in keeping with time, that explains
// every read? The search of group_search.h for Jepsen's registers. One owner.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "checker/model/budget.h"
#include "checker/model/operation.h"
#include "checker/model/rules.h"
#include "checker/search/fingerprint.h"

namespace bank::checker {

struct Step {
  enum class Kind : uint8_t {
    kRead,   // the value was `first`
    kWrite,  // it becomes `first`
    kCas,    // it was `first` and becomes `second`
  };
  Kind kind = Kind::kRead;
  Wide first = 0;
  Wide second = 0;
  int64_t invoke = 0;     // places in the history
  int64_t over = kNever;  // kNever: it may or may not have happened
  size_t event = 0;       // the caller's

  bool is_read() const { return kind == Kind::kRead; }
  bool is_optional() const { return over == kNever; }
};

class StepSearch {
 public:
  enum class Answer : uint8_t { kExplained, kViolation, kUnknown };

  StepSearch(std::vector<Step> steps, Wide initial, const Budget& budget);
  Answer Run();
  // If explained: the caller's events in the order that explains them. Steps that may or may not
  // have happened are in it only if they are needed.
  const std::vector<size_t>& order() const { return order_; }

 private:
  struct Link {
    uint32_t step = 0;
    bool is_return = false;
    uint32_t previous = 0;
    uint32_t next = 0;  // 0: end
  };
  struct Move {
    std::vector<uint32_t> steps;  // in order
  };
  struct Frame {
    std::vector<Move> moves;  // the next one last
    bool is_expanded = false;
    Wide value = 0;
    Fingerprint done;
    std::vector<uint32_t> taken;
  };

  bool SawTheUnwritten() const;
  void Expand(Frame* frame);
  void AddBlocks(uint32_t wanted, int64_t until, std::vector<Move>* moves);
  void AddChains(Wide value, std::vector<uint32_t>* chain, const std::vector<uint32_t>& free,
                 uint32_t last, std::vector<Move>* moves);
  bool Carry(uint32_t step);
  void Take(uint32_t step);
  void Back(Frame* frame);

  std::vector<Step> steps_;
  const Budget budget_;
  std::vector<Link> links_;
  std::vector<std::pair<uint32_t, uint32_t>> links_of_;
  std::vector<uint32_t> optional_;  // by invocation
  std::vector<bool> done_;
  size_t left_ = 0;
  Wide value_ = 0;
  Fingerprint fingerprint_;  // of the steps that are done
  absl::flat_hash_set<std::pair<uint64_t, uint64_t>> seen_;
  bool complete_ = true;
  std::vector<size_t> order_;
};

}  // namespace bank::checker
