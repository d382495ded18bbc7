// Completions: callbacks that are due, kept until the driver is in a state in which they may call
// it again. Run in the order they were added within each kind.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "branch/replication/driver/driver.h"
#include "branch/replication/replicator.h"

namespace bank::replication {

class Completions {
 public:
  void Add(Replicator::ProposeCallback done, ProposeResult result) {
    proposals_.emplace_back(std::move(done), std::move(result));
  }
  void Add(Replicator::ProposeCallback done, Fate fate, std::string reason) {
    ProposeResult result;
    result.fate = fate;
    result.reason = std::move(reason);
    Add(std::move(done), std::move(result));
  }
  void AddRead(Replicator::ReadCallback done, absl::Status status) {
    reads_.emplace_back(std::move(done), std::move(status));
  }
  void AddIndex(ReadIndexCallback done, absl::StatusOr<LogIndex> index) {
    indexes_.emplace_back(std::move(done), std::move(index));
  }

  void AddChange(ChangeCallback done, ChangeResult result) {
    changes_.emplace_back(std::move(done), std::move(result));
  }

  bool empty() const {
    return proposals_.empty() && reads_.empty() && indexes_.empty() && changes_.empty();
  }

  // Runs those that are due now; callbacks may add more for the next time.
  void Run() {
    RunAll(proposals_);
    RunAll(indexes_);
    RunAll(reads_);
    RunAll(changes_);
  }

 private:
  template <class Callback, class Value>
  static void RunAll(std::vector<std::pair<Callback, Value>>& due) {
    std::vector<std::pair<Callback, Value>> now = std::exchange(due, {});
    for (auto& [done, value] : now) done(std::move(value));
  }

  std::vector<std::pair<Replicator::ProposeCallback, ProposeResult>> proposals_;
  std::vector<std::pair<ReadIndexCallback, absl::StatusOr<LogIndex>>> indexes_;
  std::vector<std::pair<ChangeCallback, ChangeResult>> changes_;
  std::vector<std::pair<Replicator::ReadCallback, absl::Status>> reads_;
};

}  // namespace bank::replication
