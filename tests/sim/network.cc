#include "tests/sim/network.h"

#include <algorithm>
#include <utility>

namespace bank::sim {

void Network::Send(NodeId from, NodeId to, Lane lane, SimTime size_delay, Scheduler::Task deliver) {
  ++statistics_.messages;
  if (IsCut(from, to) || random_.Permille(weather_.loss_permille)) {
    ++statistics_.messages_lost;
    return;
  }
  SimTime arrival =
      scheduler_.now() + random_.Between(weather_.delay_min, weather_.delay_max) + size_delay;
  if (random_.Permille(weather_.spike_permille)) arrival += weather_.delay_spike;
  if (lane != Lane::kCustomer && (keeps_contract_ || lane != Lane::kMessages)) {
    SimTime& newest = newest_arrival_[{from, to, lane}];
    newest = arrival = std::max(arrival, newest);
  }
  const uint64_t connection = connections_[Pair(from, to)];
  const uint64_t from_life = lives_[from];
  const uint64_t to_life = lives_[to];
  scheduler_.At(arrival, [this, from, to, connection, from_life, to_life,
                          deliver = std::move(deliver)]() mutable {
    if (IsCut(from, to) || connections_[Pair(from, to)] != connection ||
        lives_[from] != from_life || lives_[to] != to_life) {
      ++statistics_.messages_lost;
      return;
    }
    deliver();
  });
}

void Network::Cut(NodeId from, NodeId to) {
  if (from == to || !cuts_.insert({from, to}).second) return;
  trace_.Note("cut", from, to);
  // A stream cannot skip what it lost: whatever is behind it goes with the connection.
  Break(from, to);
}

void Network::Mend(NodeId from, NodeId to) {
  if (cuts_.erase({from, to}) != 0) trace_.Note("mend", from, to);
}

void Network::MendAll() {
  if (!cuts_.empty()) trace_.Note("mend all");
  cuts_.clear();
}

SimTime Network::LastArrival() const {
  SimTime last = 0;
  for (const auto& [lane, arrival] : newest_arrival_) last = std::max(last, arrival);
  return last;
}

void Network::Break(NodeId a, NodeId b) {
  ++statistics_.connections_broken;
  ++connections_[Pair(a, b)];
  TellEnd(a, b);
  TellEnd(b, a);
}

void Network::BreakAll(NodeId node) {
  ++lives_[node];
  TellEnd(0, node);
}

void Network::TellEnd(NodeId told, NodeId lost) {
  constexpr SimTime kLateMax = 300 * kMillisecond;
  if (tell_ == nullptr || random_.OneIn(4)) return;
  const SimTime delay = random_.OneIn(3) ? random_.Between(0, kLateMax) : weather_.delay_min;
  scheduler_.After(delay, [this, told, lost] { tell_(told, lost); });
}

}  // namespace bank::sim
