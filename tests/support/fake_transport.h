// The way to the leader in a test's hands: it keeps what was submitted until the test answers.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "branch/replication/route/leader_transport.h"
#include "common/clock.h"

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

class FakeClock final : public Clock {
 public:
  int64_t NowNs() const override { return now_ns; }
  int64_t now_ns = 1'000'000'000;
};

}  // namespace bank::replication
