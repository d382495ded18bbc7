// The way to the leader in a test's hands: it keeps what was submitted until the test answers.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "branch/replication/route/leader_transport.h"
#include "tests/support/test_clock.h"

namespace bank::replication {

class FakeTransport final : public LeaderTransport {
 public:
  struct Submitted {
    BranchId leader;
    ForwardRequest request;
    ForwardCallback done;
  };
  void Submit(BranchId leader, ForwardRequest request, ForwardCallback done) override {
    submitted.push_back({leader, std::move(request), std::move(done)});
  }
  void WakeBy(int64_t deadline_ns) override { wakes.push_back(deadline_ns); }

  Submitted Take() {
    Submitted first = std::move(submitted.front());
    submitted.pop_front();
    return first;
  }

  std::deque<Submitted> submitted;
  std::vector<int64_t> wakes;
};

}  // namespace bank::replication
