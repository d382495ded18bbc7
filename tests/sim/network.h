// Network: the wires between branches, and between customers and branches.
//
// Keeps the transport's contract of message.h and breaks everything that the contract leaves open:
// in one lane from one sender to one receiver deliveries keep their order and happen at most once,
// and nothing sent over a broken connection arrives after the break; anything may be late or lost.
// Lanes of a connection (messages, snapshots, forwarded batches) do not wait for each other, as the
// streams and calls of the real transport do not.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/sim/random.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/statistics.h"
#include "tests/sim/trace.h"

namespace bank::sim {

// Branches are 1, 2, ...; customers begin at kFirstCustomerNode.
using NodeId = uint64_t;
inline constexpr NodeId kFirstCustomerNode = 1000;

enum class Lane { kMessages, kSnapshots, kForward, kCustomer };

class Network {
 public:
  struct Weather {
    SimTime delay_min = 200;
    SimTime delay_max = 2000;
    uint64_t loss_permille = 0;
    uint64_t spike_permille = 0;  // deliveries that take delay_spike more
    SimTime delay_spike = 0;
  };

  Network(Scheduler& scheduler, Trace& trace, Statistics& statistics, Random random)
      : scheduler_(scheduler), trace_(trace), statistics_(statistics), random_(random) {}

  void SetWeather(const Weather& weather) { weather_ = weather; }
  // From now on messages overtake each other and come twice, which the transport's contract rules
  // out: for showing what guards of the engine are there for.
  void BreakContract() { keeps_contract_ = false; }
  bool keeps_contract() const { return keeps_contract_; }

  // `deliver` runs at the receiver's side, or never. `size_delay` is what the bytes take.
  void Send(NodeId from, NodeId to, Lane lane, SimTime size_delay, Scheduler::Task deliver);

  void Cut(NodeId from, NodeId to);  // one direction
  void Mend(NodeId from, NodeId to);
  void MendAll();
  bool IsCut(NodeId from, NodeId to) const { return cuts_.contains({from, to}); }

  // `tell(told, lost)`: node `told` sees that its connection with `lost` has ended; 0 for `told`:
  // every node does. Not after every end, and at times late.
  void TellEnds(std::function<void(NodeId told, NodeId lost)> tell) { tell_ = std::move(tell); }

  // When all that is under way between branches now will have arrived: a storm's last messages
  // can hold up a lane for long after it.
  SimTime LastArrival() const;

  // Everything under way between the two is lost; what is sent from now on uses a new connection.
  void Break(NodeId a, NodeId b);
  void BreakAll(NodeId node);  // its process is gone

 private:
  static std::pair<NodeId, NodeId> Pair(NodeId a, NodeId b) {
    return a < b ? std::pair(a, b) : std::pair(b, a);
  }

  void TellEnd(NodeId told, NodeId lost);

  Scheduler& scheduler_;
  Trace& trace_;
  Statistics& statistics_;
  Random random_;
  Weather weather_;
  bool keeps_contract_ = true;
  std::map<std::tuple<NodeId, NodeId, Lane>, SimTime> newest_arrival_;
  std::map<std::pair<NodeId, NodeId>, uint64_t> connections_;
  std::map<NodeId, uint64_t> lives_;
  std::function<void(NodeId told, NodeId lost)> tell_;
  std::set<std::pair<NodeId, NodeId>> cuts_;
};

}  // namespace bank::sim
