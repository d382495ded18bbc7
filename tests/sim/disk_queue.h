// DiskQueue: the disk's side of a branch: takes the driver's orders, carries them out strictly in
// order with the production storage, and answers each when it is durable.
//
// Between the write and the sync of an append lies time in which the power can go. Appends that
// wait together are synced together, as in a running branch.
#pragma once

#include <deque>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "branch/storage/storage.h"
#include "tests/sim/durable_record.h"
#include "tests/sim/random.h"
#include "tests/sim/scheduler.h"

namespace bank::sim {

struct AppendOrder {
  LogIndex first;
  std::vector<storage::Entry> entries;
};
struct SaveOrder {
  LogIndex index;
};
struct InstallOrder {
  storage::Snapshot snapshot;
};
struct TrimOrder {
  LogIndex first;
};
struct FinishRebuildOrder {
  Term vote_floor;
};
using DiskOrder = std::variant<AppendOrder, SaveOrder, InstallOrder, TrimOrder, FinishRebuildOrder>;

class DiskQueue {
 public:
  struct Pace {
    SimTime min = 100;
    SimTime max = 2000;
  };
  struct Owner {
    // Runs a task later inside the process: never after its end, and not while it is paused.
    absl::AnyInvocable<void(SimTime, Scheduler::Task)> later;
    absl::AnyInvocable<void(const DiskOrder&)> done;
    absl::AnyInvocable<void(const absl::Status&)> failed;  // the process must stop
  };

  DiskQueue(storage::Storage& storage, DurableRecord& record, Random random, const Pace& pace,
            Owner owner)
      : storage_(storage),
        record_(record),
        random_(random),
        pace_(pace),
        owner_(std::move(owner)) {}

  void Push(DiskOrder order);
  size_t size() const { return waiting_.size(); }

 private:
  void Begin();
  absl::Status Carry(const DiskOrder& order);
  void Finish(const absl::Status& status);
  SimTime Delay() { return random_.Between(pace_.min, pace_.max); }

  storage::Storage& storage_;
  DurableRecord& record_;
  Random random_;
  const Pace& pace_;  // the owner's; may change at any time
  Owner owner_;
  std::deque<DiskOrder> waiting_;
  std::vector<DiskOrder> group_;  // being carried out
  bool busy_ = false;
};

}  // namespace bank::sim
